//! `rpod info`: this rpod and this machine.
use clap::Parser;
use serde_json::Value;

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::render::thing::Format;
use crate::cli::template::Template;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Show what rpod found on this machine
#[derive(Debug, Parser)]
pub struct Args {
    /// Show as a Go template says, or as json
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

/// docker's page, with what only rpod has at its end.
const PAGE: &str = "\
Client: rpod
 Version:    {{.ServerVersion}}

Server: none; rpod needs no daemon
 Containers: {{.Containers}}
  Running: {{.ContainersRunning}}
  Paused: {{.ContainersPaused}}
  Stopped: {{.ContainersStopped}}
 Images: {{.Images}}
 Volumes: {{.Volumes}}
 Storage Driver: {{.Driver}}
{{- range .DriverStatus}}
  {{index . 0}}: {{index . 1}}
{{- end}}
 Logging Driver: {{.LoggingDriver}}
 Cgroup Driver: {{.CgroupDriver}}
 Cgroup Version: {{.CgroupVersion}}
 Network: {{join .Plugins.Network \" \"}}
 Runtime: {{.DefaultRuntime}}
 Security Options:
{{- range .SecurityOptions}}
  {{.}}
{{- end}}
 Kernel Version: {{.KernelVersion}}
 Operating System: {{.OperatingSystem}}
 OSType: {{.OSType}}
 Architecture: {{.Architecture}}
 CPUs: {{.NCPU}}
 Total Memory: {{.MemText}}
 Name: {{.Name}}
 User: {{.Rpod.User}} (uid {{.Rpod.Uid}})
 Id Map: {{.Rpod.IdMap}}
 Store: {{.DockerRootDir}}
 Runtime Directory: {{.Rpod.RuntimeDirectory}}
{{- with .RegistryConfig.Mirrors}}
 Registry Mirrors:
{{- range .}}
  {{.}}
{{- end}}
{{- end}}
{{- range .Warnings}}
WARNING: {{.}}
{{- end}}
";

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let format = Format::parse(self.format.as_deref())?;
        let info = ops::info::info(&door.session()?)?;
        match format {
            Some(format) => terminal::answer(&format.one(&info)?)?,
            None => terminal::answer(&page(info)?)?,
        }
        Ok(0)
    }
}

fn page(mut info: Value) -> Result<String> {
    let bytes = info["MemTotal"].as_u64().unwrap_or(0) as f64;
    info["MemText"] = format!("{:.2}GiB", bytes / f64::from(1 << 30)).into();
    info["ServerVersion"] = crate::cli::version::NUMBER.into();
    Template::parse(PAGE)?.fill(&info)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_a_template_that_is_understood() {
        assert!(super::Template::parse(super::PAGE).is_ok());
    }
}
