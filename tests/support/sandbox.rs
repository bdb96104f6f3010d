//! A user of its own for one test: `HOME`, XDG directories and runtime directory
//! that nothing else uses, an environment with nothing else in it, and the
//! program under test.
//!
//!     let rpod = Sandbox::new();
//!     rpod.run(&["version"]).success().stdout_has("rpod");
//!     rpod.command(&["run", "-i", "busybox", "cat"]).stdin("x").run().success();
//!
//! Every command has a time limit (60 s unless told) and must let go of its output
//! when it ends: a process left behind that holds the pipes fails the test.
//!
//! When the sandbox is dropped it proves that nothing is left: no process, no
//! mount, nothing in the store's `tmp/`. Containers are for the test to remove;
//! `remove_all` does it in one line. When the test has already failed, every
//! command is printed with its streams, and what is left is killed, process by
//! process, because it carries the sandbox's path or mark.
//!
//! What must not live here: anything about one verb. Used by every file of
//! `tests/it`. Always true: only processes that carry the sandbox's own path or
//! mark are ever signalled.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{image, probe};

/// How long a command may take unless the test says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// How long a process may hold a command's output after the command has ended.
const LINGER: Duration = Duration::from_secs(5);
/// How long the network's own process may outlive the last container, and some; or a
/// process that waits for a busy disk the command that wrote to it.
const LEAVE: Duration = Duration::from_secs(20);

/// A user of its own for one test.
pub struct Sandbox {
    path: PathBuf,
    /// The mark of its processes.
    mark: u64,
    program: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
    /// Set for tests which leave something on purpose, such as a killed rpod's.
    leaves_processes: Mutex<bool>,
    leaves_tmp: Mutex<bool>,
}

impl Sandbox {
    /// Returns a sandbox with an empty store.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let base = std::env::var_os("RPOD_TEST_TMP").unwrap_or_else(|| "/var/tmp".into());
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short: a socket's path has at most 107 bytes.
        let path = PathBuf::from(base).join(format!("rt{:x}.{number:x}.", std::process::id()));
        // A leftover of an earlier run whose process had our number is not ours to use.
        let path = (0..)
            .map(|n| PathBuf::from(format!("{}{n}", path.display())))
            .find(|path| std::fs::create_dir(path).is_ok() || !path.exists())
            .unwrap();
        assert!(path.is_dir(), "cannot create {}", path.display());
        for dir in ["home", "run", "work"] {
            std::fs::create_dir(path.join(dir)).unwrap();
            let mode = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(path.join(dir), mode).unwrap();
        }
        let program = std::env::var_os("RPOD_TEST_BIN")
            .map_or_else(|| env!("CARGO_BIN_EXE_rpod").into(), PathBuf::from);
        Sandbox {
            path,
            mark: (u64::from(std::process::id()) << 24) | u64::from(number),
            program,
            log: Arc::default(),
            leaves_processes: Mutex::new(false),
            leaves_tmp: Mutex::new(false),
        }
    }

    /// Returns a sandbox whose store has these images of `tests/images/build`.
    pub fn with(images: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        for name in images {
            sandbox.load(&image::built(name));
        }
        sandbox
    }

    /// The sandbox's own directory; everything of the test's is below it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A scratch directory for the test, where commands run.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// `HOME`.
    pub fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// `XDG_RUNTIME_DIR`.
    pub fn runtime(&self) -> PathBuf {
        self.path.join("run")
    }

    /// The directory rpod keeps everything in.
    pub fn store(&self) -> PathBuf {
        self.home().join(".local/share/rpod")
    }

    /// The program under test.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Writes a file below the scratch directory and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Loads an archive or a layout.
    pub fn load(&self, archive: &Path) -> String {
        let archive = archive.to_str().unwrap();
        let loaded = self.command(&["load", "-i", archive]).timeout(180).run();
        loaded.success().stdout()
    }

    /// Runs rpod with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).run()
    }

    /// Returns a command of rpod's, to be told more before it runs.
    pub fn command(&self, arguments: &[&str]) -> Command<'_> {
        let program = self.program.clone();
        let mut command = self.other(program.to_str().unwrap(), arguments);
        command.refusal = refusal_of(arguments);
        command
    }

    /// Returns a command of another program, in the same environment.
    pub fn other(&self, program: &str, arguments: &[&str]) -> Command<'_> {
        let home = self.home();
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        let mut set = |name: &str, value: &Path| {
            environment.insert(name.into(), value.to_str().unwrap().into());
        };
        set("HOME", &home);
        set("XDG_RUNTIME_DIR", &self.runtime());
        set("XDG_DATA_HOME", &home.join(".local/share"));
        set("XDG_CONFIG_HOME", &home.join(".config"));
        set("XDG_CACHE_HOME", &home.join(".cache"));
        set("XDG_STATE_HOME", &home.join(".local/state"));
        set(
            "PATH",
            Path::new("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        );
        environment.insert("LC_ALL".into(), "C.UTF-8".into());
        environment.insert("TZ".into(), "UTC".into());
        environment.insert("COLUMNS".into(), "200".into());
        environment.insert("USER".into(), probe::user_name());
        // Where the program crashes, say where.
        environment.insert("RUST_BACKTRACE".into(), "1".into());
        Command {
            sandbox: self,
            program: program.into(),
            arguments: arguments.iter().map(|&word| word.into()).collect(),
            environment,
            input: Vec::new(),
            directory: self.work(),
            time_limit: TIME_LIMIT,
            refusal: 1,
        }
    }

    /// Starts `run -d` with these arguments and returns the container's id.
    pub fn start(&self, arguments: &[&str]) -> String {
        let mut words = vec!["run", "-d"];
        words.extend(arguments);
        let started = self.command(&words).run();
        let id = started.success().line();
        assert!(
            id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "`run -d` prints the container's id, not {id:?}"
        );
        id
    }

    /// Returns one field of a container, by `inspect --format`.
    pub fn inspect(&self, container: &str, format: &str) -> String {
        self.run(&["inspect", "--format", format, container])
            .success()
            .line()
    }

    /// Returns a container's address on the network it joined.
    pub fn address(&self, container: &str) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        self.inspect(container, format)
    }

    /// Removes every container and asserts that it worked.
    pub fn remove_all(&self) {
        let all = self.run(&["ps", "-aq"]).success().stdout();
        let mut words = vec!["rm", "-f", "-v"];
        words.extend(all.split_whitespace());
        if words.len() > 3 {
            self.command(&words).timeout(120).run().success();
        }
        assert_eq!(self.run(&["ps", "-aq"]).success().stdout(), "");
    }

    /// For tests whose point is what a killed rpod leaves: nothing is asserted
    /// about processes when the sandbox goes, and what there is gets killed.
    pub fn may_leave_processes(&self) {
        *self.leaves_processes.lock().unwrap() = true;
    }

    /// For tests which end without the command that sweeps `tmp/`.
    pub fn may_leave_tmp(&self) {
        *self.leaves_tmp.lock().unwrap() = true;
    }

    /// What is staged in the store and not published.
    pub fn staged(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.store().join("tmp"));
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// The processes of this sandbox: those that carry its path, and theirs.
    pub fn processes(&self) -> Vec<Process> {
        Process::of(&self.path, self.mark)
    }

    /// The mounts below this sandbox, as this process sees them.
    pub fn mounts(&self) -> Vec<String> {
        let mark = format!("{}/", self.path.display());
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = table.lines().filter(|line| line.contains(&mark));
        ours.map(str::to_owned).collect()
    }

    fn note(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }

    /// Every trace of the test, or nothing. Waits a moment for what may take one:
    /// a monitor deletes a removed container's files after it has told the end.
    fn left_behind(&self) -> Vec<String> {
        let mut found = Vec::new();
        let processes = !*self.leaves_processes.lock().unwrap();
        let tmp = !*self.leaves_tmp.lock().unwrap();
        let gone = wait_until(LEAVE, || {
            (!processes || self.processes().is_empty()) && (!tmp || self.staged().is_empty())
        });
        if processes && !gone {
            let left = self.processes();
            found.extend(left.iter().map(|process| format!("process {process}")));
        }
        found.extend(self.mounts().iter().map(|mount| format!("mount {mount}")));
        if tmp {
            let staged = self.staged();
            found.extend(staged.iter().map(|path| format!("file {}", path.display())));
        }
        found
    }

    fn destroy(&self) {
        // Killing a monitor may let a child appear; a few rounds catch it.
        for _ in 0..20 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for process in left {
                process.kill();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        if std::env::var_os("RPOD_TEST_KEEP").is_none() {
            remove_tree(&self.path);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        let found = if failing {
            Vec::new()
        } else {
            self.left_behind()
        };
        if failing || !found.is_empty() {
            let log = self.log.lock().unwrap_or_else(|broken| broken.into_inner());
            for entry in log.iter() {
                eprintln!("{entry}");
            }
            for process in self.processes() {
                eprintln!("still there: {process}");
            }
        }
        self.destroy();
        assert!(found.is_empty(), "left behind:\n  {}", found.join("\n  "));
    }
}

/// The exit code with which rpod refuses these words.
fn refusal_of(arguments: &[&str]) -> i32 {
    let mut words = arguments.iter().filter(|word| !word.starts_with('-'));
    let verb = words.find(|word| **word != "container");
    match verb {
        Some(&("run" | "create" | "exec" | "start")) => 125,
        _ => 1,
    }
}

/// A command that has not run yet.
#[must_use = "a command does nothing until `run` or `spawn`"]
pub struct Command<'a> {
    sandbox: &'a Sandbox,
    program: String,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    input: Vec<u8>,
    directory: PathBuf,
    time_limit: Duration,
    refusal: i32,
}

impl Command<'_> {
    /// Gives the command this on its standard input.
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Sets a variable of the command's own environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_str().unwrap().to_owned();
        self.environment.insert(name.into(), value);
        self
    }

    /// Takes a variable out of the command's own environment.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Runs the command in this directory.
    pub fn directory(mut self, path: &Path) -> Self {
        self.directory = path.into();
        self
    }

    /// Allows the command this many seconds.
    pub fn timeout(mut self, seconds: u64) -> Self {
        self.time_limit = Duration::from_secs(seconds);
        self
    }

    /// Runs the command inside another: `inside(&["unshare", "-Urm"])`.
    pub fn inside(mut self, wrapper: &[&str]) -> Self {
        let mut words: Vec<String> = wrapper.iter().map(|&word| word.into()).collect();
        words.push(self.program);
        words.append(&mut self.arguments);
        self.program = words.remove(0);
        self.arguments = words;
        self
    }

    /// Runs the command as a script's tail: `script` is shell text in which
    /// `"$@"` is the command, for tests that prepare a place and then enter it.
    pub fn under(self, wrapper: &[&str], script: &str) -> Self {
        let mut words = wrapper.to_vec();
        words.extend(["sh", "-ec", script, "sh"]);
        self.inside(&words)
    }

    /// Runs the command to its end.
    pub fn run(self) -> Output {
        let time_limit = self.time_limit;
        let input = self.input.clone();
        let mut running = self.spawn();
        running.write(&input);
        running.close_stdin();
        running.finish(time_limit)
    }

    /// Starts the command; it is ended when the value is dropped.
    pub fn spawn(self) -> Running {
        let line = self.line();
        let mut command = self.prepared();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = start(&mut command, &line, self.sandbox.mark);
        let stdin = child.stdin.take().map(|pipe| Box::new(pipe) as Box<_>);
        let stdout = Stream::of(child.stdout.take().unwrap());
        let stderr = Stream::of(child.stderr.take().unwrap());
        self.running(child, line, stdin, stdout, stderr)
    }

    /// Starts the command on a terminal of its own, 80 columns wide; what it
    /// writes to the terminal is its `stdout`.
    pub fn spawn_on_terminal(mut self) -> Running {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        use rustix::termios::{Winsize, tcsetwinsize};
        let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&main).unwrap();
        unlockpt(&main).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&main, size).unwrap();
        let name = ptsname(&main, Vec::new()).unwrap();
        let side = || {
            std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(name.to_str().unwrap())
                .unwrap()
        };
        let line = format!("{} (on a terminal)", self.line());
        self.environment.insert("TERM".into(), "xterm".into());
        self.environment.remove("COLUMNS");
        // setsid makes the terminal its controlling one and becomes the command.
        let signals = "--default-signal=INT,QUIT,HUP,TERM";
        self = self.inside(&["env", signals, "setsid", "--ctty"]);
        let mut command = self.prepared();
        // A group leader would make setsid fork; the command is then not our child.
        command.process_group(rustix::process::getpgrp().as_raw_nonzero().get());
        command.stdin(side()).stdout(side()).stderr(side());
        let child = start(&mut command, &line, self.sandbox.mark);
        drop(command);
        let main = std::fs::File::from(main);
        let stdout = Stream::of(main.try_clone().unwrap());
        let stdin = Some(Box::new(main) as Box<_>);
        self.running(child, line, stdin, stdout, Stream::empty())
    }

    fn line(&self) -> String {
        let program = Path::new(&self.program).file_name().unwrap();
        let mut line = format!("$ {}", program.to_str().unwrap());
        for word in &self.arguments {
            line.push(' ');
            let plain = !word.is_empty() && !word.contains([' ', '\n', '"', '\'', '$', '{']);
            line.push_str(&if plain {
                word.clone()
            } else {
                format!("'{word}'")
            });
        }
        line
    }

    fn prepared(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            // Its own group: a time limit ends it with all it started itself.
            .process_group(0);
        command
    }

    fn running(
        &self,
        child: Child,
        line: String,
        stdin: Option<Box<dyn Write + Send>>,
        stdout: Stream,
        stderr: Stream,
    ) -> Running {
        Running {
            child,
            line,
            stdin,
            stdout,
            stderr,
            log: Arc::clone(&self.sandbox.log),
            refusal: self.refusal,
            started: Instant::now(),
            ended: None,
        }
    }
}

/// Starts a command; a program file that another thread is just now writing or
/// forking with (`ETXTBSY`) is tried again.
fn start(command: &mut std::process::Command, line: &str, mark: u64) -> Child {
    for _ in 0..50 {
        match marked(mark, || command.spawn()) {
            Ok(child) => return child,
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("cannot start {line}: {error}"),
        }
    }
    panic!("cannot start {line}: the file stays busy");
}

/// Starts a process that has this mark, as all have that come from it: a limit
/// which Linux knows and does not use (getrlimit(2), `RLIMIT_LOCKS`). Unlike its
/// environment, anybody may read it of a process which hides.
pub fn marked<T>(mark: u64, start: impl FnOnce() -> T) -> T {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // A process inherits it from this one: nothing else may start meanwhile.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|broken| broken.into_inner());
    let usual = getrlimit(Resource::Locks);
    let with_mark = Rlimit {
        current: Some(mark),
        maximum: usual.maximum,
    };
    setrlimit(Resource::Locks, with_mark).unwrap();
    let started = start();
    setrlimit(Resource::Locks, usual).unwrap();
    started
}

/// A command that runs.
#[must_use = "the command is ended when this is dropped"]
pub struct Running {
    child: Child,
    line: String,
    stdin: Option<Box<dyn Write + Send>>,
    stdout: Stream,
    stderr: Stream,
    log: Arc<Mutex<Vec<String>>>,
    refusal: i32,
    started: Instant,
    ended: Option<ExitStatus>,
}

impl Running {
    /// The command's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        self.poll().is_none()
    }

    /// Gives it more input. A command that has closed its input is not told.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        if let Some(stdin) = &mut self.stdin {
            let written = stdin.write_all(bytes.as_ref()).and_then(|()| stdin.flush());
            if let Err(error) = written {
                assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{error}");
            }
        }
    }

    /// Ends its input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until its standard output has this text, up to 30 s.
    pub fn wait_for_stdout(&mut self, text: &str) -> &mut Self {
        let found = wait_until(Duration::from_secs(30), || {
            self.stdout.text().contains(text)
        });
        assert!(
            found,
            "{}\nnever wrote {text:?}; stdout:\n{}\nstderr:\n{}",
            self.line,
            self.stdout.text(),
            self.stderr.text()
        );
        self
    }

    /// What it has written so far.
    pub fn stdout_so_far(&mut self) -> String {
        self.stdout.text()
    }

    /// What it has written to its standard error so far.
    pub fn stderr_so_far(&mut self) -> String {
        self.stderr.text()
    }

    /// Sends it a signal by name: `INT`, `TERM`, `KILL`, `HUP`, `WINCH`.
    pub fn signal(&mut self, name: &str) {
        use rustix::process::Signal;
        let signal = match name {
            "INT" => Signal::INT,
            "TERM" => Signal::TERM,
            "KILL" => Signal::KILL,
            "HUP" => Signal::HUP,
            "QUIT" => Signal::QUIT,
            "WINCH" => Signal::WINCH,
            other => panic!("no signal {other} here"),
        };
        if self.poll().is_none() {
            let pid = rustix::process::Pid::from_child(&self.child);
            rustix::process::kill_process(pid, signal).unwrap();
        }
    }

    /// Waits for its end, up to 60 s.
    pub fn wait(self) -> Output {
        self.finish(TIME_LIMIT)
    }

    fn poll(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
        }
        self.ended
    }

    /// Waits for its end and for the end of its output.
    pub fn finish(mut self, time_limit: Duration) -> Output {
        let in_time = wait_until(time_limit, || self.poll().is_some());
        if !in_time {
            self.kill_group();
        }
        let status = self.child.wait().unwrap();
        self.ended = Some(status);
        let took = self.started.elapsed();
        self.stdin = None;
        let let_go = wait_until(LINGER, || self.stdout.ended() && self.stderr.ended());
        let output = Output {
            line: self.line.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.bytes(),
            stderr: self.stderr.bytes(),
            took,
            refusal: self.refusal,
        };
        self.log.lock().unwrap().push(output.to_string());
        assert!(in_time, "took longer than {time_limit:?}:\n{output}");
        assert!(let_go, "ended, but something holds its output:\n{output}");
        output
    }

    fn kill_group(&mut self) {
        // On a terminal it is not a group leader but the session's: only itself.
        let pid = rustix::process::Pid::from_child(&self.child);
        let kill = rustix::process::Signal::KILL;
        let group = rustix::process::kill_process_group(pid, kill);
        if group.is_err() {
            let _gone = rustix::process::kill_process(pid, kill);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_none() && self.poll().is_none() {
            self.kill_group();
            let _status = self.child.wait();
            let so_far = format!(
                "{}\n(ended by the test)\nstdout:\n{}\nstderr:\n{}",
                self.line,
                self.stdout.text(),
                self.stderr.text()
            );
            if let Ok(mut log) = self.log.lock() {
                log.push(so_far);
            }
        }
    }
}

/// One of a command's outputs, read by a thread as it comes.
struct Stream {
    received: Receiver<Vec<u8>>,
    so_far: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn of(mut source: impl Read + Send + 'static) -> Self {
        let (sender, received) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            // A terminal whose other side is closed answers EIO: that is its end.
            while let Ok(count @ 1..) = source.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Stream {
            received,
            so_far: Vec::new(),
            ended: false,
        }
    }

    fn empty() -> Self {
        Stream {
            received: channel().1,
            so_far: Vec::new(),
            ended: true,
        }
    }

    fn drain(&mut self) {
        while !self.ended {
            match self.received.recv_timeout(Duration::ZERO) {
                Ok(bytes) => self.so_far.extend(bytes),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
            }
        }
    }

    fn ended(&mut self) -> bool {
        self.drain();
        self.ended
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.drain();
        self.so_far.clone()
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// What a command did.
#[must_use = "say what is expected: `success()`, `fails(code)`"]
#[derive(Clone)]
pub struct Output {
    line: String,
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// How long it took.
    pub took: Duration,
    refusal: i32,
}

impl Output {
    /// Asserts that it worked.
    #[track_caller]
    pub fn success(&self) -> &Self {
        assert!(self.code == Some(0), "expected success:\n{self}");
        self
    }

    /// Asserts that it ended with this code.
    #[track_caller]
    pub fn fails(&self, code: i32) -> &Self {
        assert!(
            self.code == Some(code),
            "expected exit code {code}:\n{self}"
        );
        self
    }

    /// Asserts that rpod itself refused, in the form every refusal has: one line
    /// `Error: …` on stderr, at most two hints; code 125 from the verbs whose code
    /// is otherwise a program's, and 1 from all others.
    #[track_caller]
    pub fn refuses(&self) -> &Self {
        self.fails(self.refusal);
        let stderr = self.stderr();
        let errors = stderr.lines().filter(|line| line.starts_with("Error: "));
        assert!(errors.count() == 1, "expected one `Error:` line:\n{self}");
        let hints = stderr.lines().filter(|line| line.starts_with("hint: "));
        assert!(hints.count() <= 2, "expected at most two hints:\n{self}");
        for wrong in ["panicked", "Os {", "code: "] {
            assert!(!stderr.contains(wrong), "{wrong:?} in a message:\n{self}");
        }
        self
    }

    /// Its standard output.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its standard output, byte for byte.
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.stdout
    }

    /// Its standard output without the newline at the end.
    pub fn line(&self) -> String {
        self.stdout().trim_end_matches(['\r', '\n']).to_owned()
    }

    /// Its standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The lines of its standard error, of the first `run` or `create` in a store. Who has
    /// one id alone must be told so before all else, and nobody else may be; that line is
    /// left out.
    #[track_caller]
    pub fn lines_of_the_first(&self) -> Vec<String> {
        let said = self.stderr();
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        let told = "containers have one user and group id, yours: ";
        if !probe::is_root() && !probe::subordinate_ids() {
            assert!(lines.first().is_some_and(|l| l.contains(told)), "{self}");
            lines.remove(0);
        }
        assert!(!lines.iter().any(|line| line.contains(told)), "{self}");
        lines
    }

    /// Asserts that its standard output is this.
    #[track_caller]
    pub fn stdout_is(&self, text: &str) -> &Self {
        assert!(self.stdout() == text, "expected stdout {text:?}:\n{self}");
        self
    }

    /// Asserts that its standard output has this.
    #[track_caller]
    pub fn stdout_has(&self, text: &str) -> &Self {
        let found = self.stdout().contains(text);
        assert!(found, "expected {text:?} on stdout:\n{self}");
        self
    }

    /// Asserts that its standard output does not have this.
    #[track_caller]
    pub fn stdout_lacks(&self, text: &str) -> &Self {
        let found = self.stdout().contains(text);
        assert!(!found, "expected no {text:?} on stdout:\n{self}");
        self
    }

    /// Asserts that its standard error has this.
    #[track_caller]
    pub fn stderr_has(&self, text: &str) -> &Self {
        let found = self.stderr().contains(text);
        assert!(found, "expected {text:?} on stderr:\n{self}");
        self
    }

    /// Asserts that its standard error does not have this.
    #[track_caller]
    pub fn stderr_lacks(&self, text: &str) -> &Self {
        let found = self.stderr().contains(text);
        assert!(!found, "expected no {text:?} on stderr:\n{self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        let show = |bytes: &[u8]| {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(16 << 10)]);
            shown.into_owned()
        };
        writeln!(out, "{}", self.line)?;
        match (self.code, self.signal) {
            (Some(code), _) => writeln!(out, "  exit code {code}, {:?}", self.took)?,
            (_, Some(signal)) => writeln!(out, "  ended by signal {signal}, {:?}", self.took)?,
            _ => {}
        }
        writeln!(out, "  stdout:\n{}", show(&self.stdout))?;
        write!(out, "  stderr:\n{}", show(&self.stderr))
    }
}

/// A process of a sandbox.
pub struct Process {
    /// Its id.
    pub pid: i32,
    parent: i32,
    /// Its name, as `ps` shows it.
    pub name: String,
    command: String,
}

impl Process {
    /// Returns the processes that carry this path or mark, with those they started.
    fn of(path: &Path, mark: u64) -> Vec<Process> {
        let path = path.to_str().unwrap();
        let own_mounts = std::fs::read_link("/proc/self/ns/mnt").ok();
        let mut ours = Vec::new();
        let mut others = Vec::new();
        for process in Process::all() {
            // The test itself and the one that started it name sandboxes, too.
            if process.pid == std::process::id() as i32 {
                continue;
            }
            if process.has(mark) || process.carries(path, own_mounts.as_deref()) {
                ours.push(process);
            } else {
                others.push(process);
            }
        }
        // A container's own programs have none of our environment; their parents have.
        loop {
            let parents: Vec<i32> = ours.iter().map(|process| process.pid).collect();
            let (more, rest) = others
                .into_iter()
                .partition::<Vec<_>, _>(|process| parents.contains(&process.parent));
            others = rest;
            if more.is_empty() {
                return ours;
            }
            ours.extend(more);
        }
    }

    fn all() -> Vec<Process> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Process::read).collect()
    }

    fn read(pid: i32) -> Option<Process> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            Some(line[name.len()..].trim().to_owned())
        };
        // The dead have left; their parents will see to them.
        if field("State:")?.starts_with('Z') {
            return None;
        }
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        Some(Process {
            pid,
            parent: field("PPid:")?.parse().ok()?,
            name: field("Name:")?,
            command: command.trim().to_owned(),
        })
    }

    fn has(&self, mark: u64) -> bool {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.pid));
        let limits = limits.unwrap_or_default();
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max file locks"));
        let soft = line.and_then(|line| line.split_whitespace().next());
        soft.is_some_and(|soft| soft == mark.to_string())
    }

    fn carries(&self, mark: &str, own_mounts: Option<&Path>) -> bool {
        let proc = PathBuf::from(format!("/proc/{}", self.pid));
        let mark_in = |text: &[u8]| {
            text.windows(mark.len())
                .enumerate()
                .filter(|(_, window)| *window == mark.as_bytes())
                // `…/rt1.1` is not `…/rt1.10`.
                .any(|(at, _)| {
                    let next = text.get(at + mark.len());
                    next.is_none_or(|byte| !byte.is_ascii_alphanumeric())
                })
        };
        let file_has = |name: &str| std::fs::read(proc.join(name)).is_ok_and(|text| mark_in(&text));
        let link_has = |name: &str| {
            std::fs::read_link(proc.join(name)).is_ok_and(|link| link.starts_with(mark))
        };
        let other_mounts = || {
            let theirs = std::fs::read_link(proc.join("ns/mnt")).ok();
            theirs.is_some() && theirs.as_deref() != own_mounts
        };
        file_has("environ")
            || file_has("cmdline")
            || link_has("cwd")
            || link_has("exe")
            || (other_mounts() && file_has("mountinfo"))
    }

    fn kill(&self) {
        let _gone = kill(self.pid);
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "{} {} ({})", self.pid, self.name, self.command)
    }
}

/// Ends a process as no careful program ends; says whether it was there.
#[must_use]
pub fn kill(pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid);
    pid.is_some_and(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok())
}

/// Asserts that the condition comes true within 30 s.
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(
        wait_until(Duration::from_secs(30), condition),
        "never came true: {what}"
    );
}

fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Returns a TCP port nobody uses now, and which no other test gets.
pub fn free_port() -> u16 {
    // Below the ports the kernel gives out by itself, so that no other process
    // takes it between here and its use; a range for each test process.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let number = 10_000 + (std::process::id() * 97 + step) % 20_000;
        let port = u16::try_from(number).unwrap();
        if std::net::TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

/// Asks a web server on this machine and returns the body; tries for 30 s while
/// nobody answers, as a server takes a moment to listen.
#[track_caller]
pub fn http_get(address: impl std::fmt::Display, path: &str) -> String {
    let address = address.to_string();
    let mut body = None;
    let answered = wait_until(Duration::from_secs(30), || {
        body = super::registry::get(&address, path).ok();
        body.is_some()
    });
    assert!(answered, "nobody answers at http://{address}{path}");
    String::from_utf8_lossy(&body.unwrap()).into_owned()
}

/// Removes a tree some of whose files may belong to our subordinate ids.
fn remove_tree(path: &Path) {
    if std::fs::remove_dir_all(path).is_ok() {
        return;
    }
    let attempt = |wrapper: &[&str]| {
        let script = "chmod -R u+rwX \"$1\" 2> /dev/null; rm -rf \"$1\"";
        std::process::Command::new(wrapper[0])
            .args(&wrapper[1..])
            .args(["sh", "-c", script, "sh"])
            .arg(path)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let _done = attempt(&["env"])
        || attempt(&["unshare", "--user", "--map-root-user", "--map-auto"])
        || attempt(&["unshare", "--user", "--map-root-user"]);
}

/// The harness on trial: it must find what it promises to find.
mod trial {
    use super::*;

    #[test]
    fn a_sandbox_finds_and_ends_processes_left_behind() {
        let sandbox = Sandbox::new();
        let leave = "setsid sleep 1000 < /dev/null > /dev/null 2>&1 &";
        sandbox.other("sh", &["-c", leave]).run().success();
        if probe::user_namespaces() {
            // As a container's program: nothing of ours but the mounts.
            let script =
                "(mount -t tmpfs x $HOME && exec env -i setsid sleep 1001) > /dev/null 2>&1 &";
            let hide = ["-Urm", "sh", "-c", script];
            sandbox.other("unshare", &hide).stdin("").run().success();
        }
        let expected = if probe::user_namespaces() { 2 } else { 1 };
        eventually("all are found", || sandbox.processes().len() == expected);
        sandbox.may_leave_processes();
        let pids: Vec<i32> = sandbox.processes().iter().map(|left| left.pid).collect();
        let path = sandbox.path().to_owned();
        drop(sandbox);
        eventually("all are ended", || {
            pids.iter().all(|pid| Process::read(*pid).is_none())
        });
        assert!(!path.exists());
    }

    #[test]
    fn a_sandbox_fails_the_test_that_leaves_something() {
        let leaving = std::panic::catch_unwind(|| {
            let sandbox = Sandbox::new();
            let staged = sandbox.store().join("tmp/half");
            std::fs::create_dir_all(&staged).unwrap();
            // Printed, as for every failing test: the harness's own output.
            sandbox.other("true", &[]).run().success();
        });
        let message = leaving.unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        assert!(message.contains("tmp/half"), "{message}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let sandbox = Sandbox::new();
        let start = Instant::now();
        let late = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _never = sandbox.other("sleep", &["1000"]).timeout(1).run();
        }));
        assert!(late.is_err() && start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_command_whose_output_is_held_fails() {
        let sandbox = Sandbox::new();
        sandbox.may_leave_processes();
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _never = sandbox.other("sh", &["-c", "setsid sleep 1000 &"]).run();
        }));
        let message = held.unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        assert!(message.contains("holds its output"), "{message}");
    }

    #[test]
    fn a_terminal_is_one() {
        let sandbox = Sandbox::new();
        let script = "tty; stty size; read word; echo got-$word; exit 4";
        let mut shell = sandbox.other("sh", &["-c", script]).spawn_on_terminal();
        shell.wait_for_stdout("/dev/pts/").wait_for_stdout("24 80");
        shell.write("hello\n");
        shell.wait_for_stdout("got-hello");
        shell.wait().fails(4);
        let wait = ["-c", "echo up; exec sleep 1000"];
        let mut waiting = sandbox.other("sh", &wait).spawn_on_terminal();
        waiting.wait_for_stdout("up");
        waiting.write("\x03");
        assert_eq!(waiting.wait().signal, Some(2));
    }

    #[test]
    fn commands_see_only_what_a_user_of_their_own_has() {
        let sandbox = Sandbox::new();
        let shown = sandbox.other("env", &[]).env("OWN", "1").run();
        shown.success().stdout_has("OWN=1").stdout_lacks("CARGO");
        let home = format!("HOME={}/home\n", sandbox.path().display());
        shown.stdout_has(&home);
        let length = sandbox.runtime().to_str().unwrap().len();
        assert!(length < 48, "sockets need short paths: {length} bytes");
        sandbox
            .other("cat", &[])
            .stdin("in")
            .run()
            .success()
            .stdout_is("in");
    }
}
