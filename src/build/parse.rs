//! stub
use crate::build::dockerfile::*;
use crate::build::lines::{Line, Lines, shell_words};
use crate::build::problem::Problem;

pub fn parse(text: &str) -> Result<Dockerfile, Problem> {
    let (d, mut lines) = Lines::new(text)?;
    let mut f = Dockerfile { syntax: d.syntax, escape: d.escape, check: d.check, globals: vec![], stages: vec![], empty_continuations: vec![] };
    while let Some(line) = lines.next_line()? {
        let words = shell_words(&line.text, f.escape);
        let key = words[0].0.to_uppercase();
        let at = line.span(0, key.len());
        let one = |w: &(&str, usize)| Word { text: w.0.to_owned(), at: line.span(w.1, w.1 + w.0.len()) };
        if key == "FROM" {
            let mut ws: Vec<Word> = words[1..].iter().map(one).collect();
            let mut platform = None;
            if let Some(p) = ws[0].text.strip_prefix("--platform=") { platform = Some(Word{text:p.to_owned(), at: ws[0].at}); ws.remove(0); }
            f.stages.push(Stage { at, text: line.text.clone(), keyword: key, image: ws[0].clone(), platform, name: ws.get(2).map(|w| w.text.to_lowercase()), named: None, steps: vec![] });
            continue;
        }
        let step = step(&line, f.escape)?;
        match f.stages.last_mut() { Some(s) => s.steps.push(step), None => f.globals.push(step) }
    }
    Ok(f)
}
pub fn trigger(text: &str, escape: char) -> Result<Step, Problem> {
    let (_, mut lines) = Lines::new(text)?;
    let l = lines.next_line()?.expect("line");
    step(&l, escape)
}
fn step(line: &Line, escape: char) -> Result<Step, Problem> {
    let words = shell_words(&line.text, escape);
    let key = words[0].0.to_uppercase();
    let at = line.span(0, key.len());
    let one = |w: &(&str, usize)| Word { text: w.0.to_owned(), at: line.span(w.1, w.1 + w.0.len()) };
    let mut ws: Vec<Word> = words[1..].iter().map(one).collect();
    let mut flags: Vec<(String, Word)> = vec![];
    while ws.first().is_some_and(|w| w.text.starts_with("--")) && key != "CMD" {
        let w = ws.remove(0);
        let (k, v) = w.text[2..].split_once('=').unwrap_or((&w.text[2..], "true"));
        flags.push((k.to_owned(), Word { text: v.to_owned(), at: w.at }));
    }
    let rest = match ws.first() { Some(_) => { let n = words.len() - ws.len(); line.text[words[n].1..].to_owned() } None => String::new() };
    let command = || match serde_json::from_str::<Vec<String>>(&rest) { Ok(v) => Command::Exec(v), Err(_) => Command::Shell(rest.clone()) };
    let flag = |n: &str| flags.iter().find(|(k, _)| k == n).map(|(_, w)| w.clone());
    let pairs = || -> Vec<(Word, Word)> { ws.iter().map(|w| { let (a, b) = w.text.split_once('=').unwrap_or((&w.text, "")); (Word{text:a.to_owned(),at:w.at}, Word{text:b.to_owned(),at:w.at}) }).collect() };
    let instruction = match key.as_str() {
        "RUN" => Instruction::Run(Run { mounts: flags.iter().filter(|(k, _)| k == "mount").map(|(_, w)| w.clone()).collect(), network: flag("network"), security: flag("security"), command: command(), heredocs: line.heredocs.clone() }),
        "COPY" | "ADD" => {
            let mut all = ws.clone();
            if let Ok(v) = serde_json::from_str::<Vec<String>>(&rest) { all = v.into_iter().map(|text| Word { text, at }).collect(); }
            let target = all.pop().expect("target");
            let mut docs = line.heredocs.iter();
            let c = Copy { from: flag("from"), chown: flag("chown"), chmod: flag("chmod"), link: flag("link").is_some(), parents: flag("parents").is_some(), exclude: flags.iter().filter(|(k, _)| k == "exclude").map(|(_, w)| w.clone()).collect(), sources: all.into_iter().map(|w| if w.text.starts_with("<<") { Source::Inline(docs.next().expect("doc").clone()) } else { Source::Path(w) }).collect(), target };
            if key == "ADD" { Instruction::Add(c, Add { checksum: flag("checksum"), keep_git_dir: false, unpack: None }) } else { Instruction::Copy(c) }
        }
        "ENV" => Instruction::Env(pairs()),
        "LABEL" => Instruction::Label(pairs()),
        "ARG" => Instruction::Arg(ws.iter().map(|w| match w.text.split_once('=') { Some((a, b)) => (Word{text:a.to_owned(),at:w.at}, Some(Word{text:b.to_owned(),at:w.at})), None => (w.clone(), None) }).collect()),
        "CMD" => Instruction::Cmd(command()),
        "ENTRYPOINT" => Instruction::Entrypoint(command()),
        "EXPOSE" => Instruction::Expose(ws),
        "WORKDIR" => Instruction::Workdir(ws[0].clone()),
        "USER" => Instruction::User(ws[0].clone()),
        "VOLUME" => Instruction::Volume(ws),
        "SHELL" => Instruction::Shell(serde_json::from_str(&rest).expect("list")),
        _ => return Err(Problem::new(at, format!("unknown instruction \"{key}\""))),
    };
    Ok(Step { at, keyword: key.clone(), text: line.text.clone(), instruction })
}
