//! Pieces of a template as a tree: text, pipelines, and what is done if, for each and with.
//!
//! Lives here: the grammar.
//! Must not: evaluate anything.
//! Called by: `Template::parse`.
//! Always true: every function that is named exists, every variable was
//! declared, and nesting has a limit, so that no template exhausts the stack.

use super::scan::{Piece, Token, Word, scan};
use super::{Place, functions};
use crate::error::Result;

const DEEPEST: usize = 64;

/// One thing a template does.
#[derive(Debug)]
pub enum Node {
    Text(String),
    Emit(Pipeline),
    /// The first arm whose pipeline holds; one without a pipeline always does.
    If(Vec<Arm>),
    /// The same, and the dot is the pipeline's value.
    With(Vec<Arm>),
    Range(Pipeline, Vec<Node>, Vec<Node>),
    Break,
    Continue,
}

#[derive(Debug)]
pub struct Arm {
    pub when: Option<Pipeline>,
    pub body: Vec<Node>,
}

/// Calls, each handed the value of the one before; perhaps kept in variables.
#[derive(Debug)]
pub struct Pipeline {
    pub variables: Vec<String>,
    pub declares: bool,
    pub calls: Vec<Call>,
}

#[derive(Debug)]
pub struct Call {
    pub head: Operand,
    pub arguments: Vec<Operand>,
}

#[derive(Debug)]
pub struct Operand {
    pub base: Base,
    pub fields: Vec<String>,
    pub place: Place,
}

#[derive(Debug)]
pub enum Base {
    Dot,
    Variable(String),
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Nil,
    Function(String),
    Group(Box<Pipeline>),
}

pub fn parse(text: &str) -> Result<Vec<Node>> {
    let mut parser = Parser {
        pieces: scan(text)?.into_iter(),
        variables: vec![String::new()],
        depth: 0,
        loops: 0,
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        None => Ok(nodes),
        Some((keyword, _, place)) => {
            Err(place.error(format!("{{{{{keyword}}}}} has nothing to belong to")))
        }
    }
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    variables: Vec<String>,
    depth: usize,
    loops: usize,
}

/// `end` or `else`, the words after it, and its place.
type End = (String, Vec<Word>, Place);

impl Parser {
    /// Reads nodes up to an `end` or `else`, or the end of the template.
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<End>)> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (mut words, place) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(words, place) => (words, place),
            };
            let keyword = match words.first().map(|w| &w.token) {
                None => return Err(place.error("an action cannot be empty")),
                Some(Token::Name(name)) => name.clone(),
                Some(_) => String::new(),
            };
            match keyword.as_str() {
                "end" | "else" => {
                    words.remove(0);
                    return Ok((nodes, Some((keyword, words, place))));
                }
                "if" | "with" | "range" => {
                    words.remove(0);
                    nodes.push(self.block(&keyword, words, place)?);
                }
                "break" | "continue" if self.loops > 0 && words.len() == 1 => {
                    nodes.push(if keyword == "break" {
                        Node::Break
                    } else {
                        Node::Continue
                    });
                }
                "break" | "continue" => {
                    return Err(place.error(format!("{{{{{keyword}}}}} stands outside a range")));
                }
                "define" | "template" | "block" => {
                    return Err(place.error(format!("{{{{{keyword}}}}} is not supported")));
                }
                _ => nodes.push(Node::Emit(self.pipeline(words, place)?)),
            }
        }
        Ok((nodes, None))
    }

    fn block(&mut self, keyword: &str, words: Vec<Word>, place: Place) -> Result<Node> {
        self.deeper(place)?;
        let known = self.variables.len();
        let node = if keyword == "range" {
            self.range(words, place)?
        } else {
            let arms = self.arms(keyword, words, place)?;
            if keyword == "if" {
                Node::If(arms)
            } else {
                Node::With(arms)
            }
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(node)
    }

    fn range(&mut self, words: Vec<Word>, place: Place) -> Result<Node> {
        let pipeline = self.pipeline(words, place)?;
        self.loops += 1;
        let (body, end) = self.nodes()?;
        self.loops -= 1;
        let otherwise = match end {
            Some((word, more, _)) if word == "else" && more.is_empty() => {
                let (otherwise, end) = self.nodes()?;
                expect_end(end, "range", place)?;
                otherwise
            }
            end => {
                expect_end(end, "range", place)?;
                Vec::new()
            }
        };
        Ok(Node::Range(pipeline, body, otherwise))
    }

    fn arms(&mut self, keyword: &str, words: Vec<Word>, place: Place) -> Result<Vec<Arm>> {
        let mut arms = Vec::new();
        let mut when = Some(self.pipeline(words, place)?);
        loop {
            let last = when.is_none();
            let (body, end) = self.nodes()?;
            arms.push(Arm { when, body });
            match end {
                Some((word, mut more, at)) if word == "else" && !last => {
                    when = match more.first().map(|w| w.token.clone()) {
                        None => None,
                        Some(Token::Name(name)) if name == keyword => {
                            more.remove(0);
                            Some(self.pipeline(more, at)?)
                        }
                        Some(_) => {
                            return Err(at.error(format!(
                                "after else comes nothing, or {keyword} and a condition"
                            )));
                        }
                    };
                }
                end => {
                    expect_end(end, keyword, place)?;
                    return Ok(arms);
                }
            }
        }
    }

    fn deeper(&mut self, place: Place) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(place.error("it is nested too deeply"));
        }
        Ok(())
    }

    fn pipeline(&mut self, words: Vec<Word>, place: Place) -> Result<Pipeline> {
        let mut words = words.into_iter().peekable();
        let pipeline = self.pipeline_of(&mut words, place, true)?;
        match words.next() {
            None => Ok(pipeline),
            Some(word) => Err(word.place.error("this \")\" closes nothing")),
        }
    }

    fn pipeline_of(&mut self, words: &mut Words, place: Place, outer: bool) -> Result<Pipeline> {
        let (variables, declares) = if outer {
            self.assignment(words)?
        } else {
            (Vec::new(), false)
        };
        let mut calls = Vec::new();
        loop {
            calls.push(self.call(words, place)?);
            match words.peek().map(|w| &w.token) {
                Some(Token::Pipe) => drop(words.next()),
                _ => break,
            }
        }
        if declares {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipeline {
            variables,
            declares,
            calls,
        })
    }

    /// Reads `$x :=`, `$x =` or `$i, $x :=`, if that is how a pipeline begins.
    fn assignment(&self, words: &mut Words) -> Result<(Vec<String>, bool)> {
        let ahead: Vec<Word> = words.clone().take(4).collect();
        let tokens: Vec<&Token> = ahead.iter().map(|w| &w.token).collect();
        let (names, sign) = match tokens[..] {
            [
                Token::Variable(x),
                sign @ (Token::Declare | Token::Assign),
                ..,
            ] => (vec![x.clone()], sign),
            [
                Token::Variable(i),
                Token::Comma,
                Token::Variable(x),
                sign @ (Token::Declare | Token::Assign),
            ] => (vec![i.clone(), x.clone()], sign),
            _ => return Ok((Vec::new(), false)),
        };
        let declares = *sign == Token::Declare;
        for name in &names {
            if name.is_empty() {
                return Err(ahead[0].place.error("$ itself cannot be set"));
            }
            if !declares && !self.variables.contains(name) {
                return Err(ahead[0]
                    .place
                    .error(format!("there is no variable ${name}")));
            }
        }
        for _ in 0..names.len() * 2 {
            words.next();
        }
        Ok((names, declares))
    }

    fn call(&mut self, words: &mut Words, place: Place) -> Result<Call> {
        let mut operands = Vec::new();
        while let Some(operand) = self.operand(words)? {
            operands.push(operand);
        }
        if operands.is_empty() {
            let place = words.peek().map_or(place, |w| w.place);
            return Err(place.error("a value is missing here"));
        }
        let head = operands.remove(0);
        Ok(Call {
            head,
            arguments: operands,
        })
    }

    fn operand(&mut self, words: &mut Words) -> Result<Option<Operand>> {
        let Some(word) = words.peek().cloned() else {
            return Ok(None);
        };
        let place = word.place;
        let mut fields = Vec::new();
        let base = match word.token {
            Token::Pipe | Token::Close => return Ok(None),
            Token::Comma | Token::Declare | Token::Assign => {
                return Err(place.error("a value is missing here"));
            }
            Token::Dot => Base::Dot,
            Token::Field(name) => {
                fields.push(name);
                Base::Dot
            }
            Token::Variable(name) if self.variables.contains(&name) => Base::Variable(name),
            Token::Variable(name) => {
                return Err(place.error(format!("there is no variable ${name}")));
            }
            Token::Text(text) => Base::Text(text),
            Token::Integer(number) => Base::Integer(number),
            Token::Float(number) => Base::Float(number),
            Token::Name(name) => named(name, place)?,
            Token::Open => {
                words.next();
                self.deeper(place)?;
                let inner = self.pipeline_of(words, place, false)?;
                self.depth -= 1;
                if words.peek().map(|w| &w.token) != Some(&Token::Close) {
                    return Err(place.error("this \"(\" is not closed"));
                }
                Base::Group(Box::new(inner))
            }
        };
        words.next();
        // `.a.b` and `(…).b` and `$x.b`: a field with no space before it goes on.
        while let Some(Word {
            token: Token::Field(name),
            apart: false,
            ..
        }) = words.peek()
        {
            fields.push(name.clone());
            words.next();
        }
        Ok(Some(Operand {
            base,
            fields,
            place,
        }))
    }
}

type Words = std::iter::Peekable<std::vec::IntoIter<Word>>;

fn named(name: String, place: Place) -> Result<Base> {
    match name.as_str() {
        "true" => Ok(Base::Bool(true)),
        "false" => Ok(Base::Bool(false)),
        "nil" => Ok(Base::Nil),
        _ if functions::exists(&name) => Ok(Base::Function(name)),
        _ => {
            let near = crate::spec::suggest::nearest(&name, functions::NAMES.iter().copied());
            let error = place.error(format!("there is no function \"{name}\""));
            Err(match near {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("a field begins with a dot: `{{{{.{name}}}}}`")),
            })
        }
    }
}

fn expect_end(end: Option<End>, keyword: &str, place: Place) -> Result<()> {
    match end {
        Some((word, more, _)) if word == "end" && more.is_empty() => Ok(()),
        Some((word, _, at)) => Err(at.error(format!("{word} is more than {keyword} can have"))),
        None => Err(place.error(format!("this {keyword} has no {{{{end}}}}"))),
    }
}
