//! Reads a document of any length one element after the other, with memory for one of them.
//!
//! It tells where elements begin and end, and no more: what is passed over is only tokenized, and what
//! is copied out is text that [`super::parse`] has yet to accept.

use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::events::Event;

use super::chars::{find_forbidden, is_space};
use super::document::{Attribute, Declaration};
use super::fault::{ParseError, ParseFault};
use super::limits::Limits;
use super::tag::{self, Scope};

/// One tag or one text. Nothing that is used here is near it.
const MOST_TOKEN: u64 = 1024 * 1024;

/// Why a document cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error(transparent)]
    Xml(#[from] ParseError),
    #[error("reading failed: {0}")]
    Read(io::Error),
}

/// A document that is read from its beginning to its end.
pub struct Stream<R> {
    tokens: Reader<Metered<R>>,
    token: Vec<u8>,
    limits: Limits,
    line: u32,
    /// What each entered element declares.
    open: Vec<Vec<(String, String)>>,
    has_root: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between two children of the innermost entered element.
    Between,
    /// Behind a start tag that has been handed out.
    AtStart,
    /// In an entered element that has no content and no end tag.
    InEmpty,
}

/// The start tag of an element, read strictly.
#[derive(Clone, Debug)]
pub struct StartTag {
    namespace: String,
    local: String,
    name: String,
    attributes: Vec<(String, String)>,
    declarations: Vec<(String, String)>,
    source: String,
    is_empty: bool,
    /// Where it begins, from 1.
    pub line: u32,
}

impl StartTag {
    /// Whether this is the element `{namespace}local`.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace == namespace
    }

    pub fn local_name(&self) -> &str {
        &self.local
    }

    /// The value of an attribute that is in no namespace.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == local).map(|(_, value)| value.as_str())
    }

    /// The tag on one line, which means the same (XML 1.0 3.3.3), and its end tag.
    pub fn as_wrapper(&self) -> (String, String) {
        let inside = self.source.replace(['\n', '\r', '\t'], " ");
        (format!("<{inside}>"), format!("</{}>", self.name))
    }
}

impl<R: BufRead> Stream<R> {
    /// Reads at most `most_bytes`. `limits` bound depth, tags and names.
    pub fn new(source: R, most_bytes: u64, limits: Limits) -> Self {
        let mut tokens =
            Reader::from_reader(Metered { source, token: 0, total: most_bytes, is_over: false });
        super::parse::configure(tokens.config_mut());
        Self {
            tokens,
            token: Vec::new(),
            limits,
            line: 1,
            open: Vec::new(),
            has_root: false,
            state: State::Between,
        }
    }

    /// The next child of the innermost entered element, at first the root; `None` at its end, which
    /// leaves it. One that was neither entered nor copied is passed over.
    ///
    /// # Errors
    /// Unreadable or malformed content, a document type, a processing instruction, a limit.
    pub fn child(&mut self) -> Result<Option<StartTag>, StreamError> {
        match self.state {
            State::AtStart => self.subtree(None)?,
            State::InEmpty => return Ok(self.leave()),
            State::Between => {}
        }
        loop {
            let line = self.line;
            match self.next()? {
                Token::Start { is_empty } => return self.start(is_empty, line).map(Some),
                Token::End => return Ok(self.leave()),
                Token::Text if self.open.is_empty() && !self.is_blank() => {
                    return Err(self.fault(ParseFault::OutsideRoot));
                }
                Token::Text => {}
                Token::Eof if !self.open.is_empty() => return Err(self.fault(ParseFault::Markup)),
                Token::Eof if !self.has_root => return Err(self.fault(ParseFault::NoRoot)),
                Token::Eof => return Ok(None),
            }
        }
    }

    /// Goes into the element that [`Stream::child`] returned last.
    pub fn enter(&mut self, tag: StartTag) {
        self.state = if tag.is_empty { State::InEmpty } else { State::Between };
        self.open.push(tag.declarations);
    }

    /// The text of the element that [`Stream::child`] returned last, as it stands in the source.
    ///
    /// # Errors
    /// As there, and one that is longer than `most` bytes.
    pub fn copy(&mut self, tag: &StartTag, most: usize) -> Result<Vec<u8>, StreamError> {
        let end = if tag.is_empty { "/>" } else { ">" };
        let mut text = format!("<{}{end}", tag.source).into_bytes();
        if self.state == State::AtStart {
            self.subtree(Some((&mut text, most)))?;
        }
        Ok(text)
    }

    /// Goes to the end of the element whose start tag was read last.
    fn subtree(&mut self, mut into: Option<(&mut Vec<u8>, usize)>) -> Result<(), StreamError> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next()? {
                Token::Start { is_empty: false } => depth += 1,
                Token::End => depth -= 1,
                Token::Start { is_empty: true } | Token::Text => {}
                Token::Eof => return Err(self.fault(ParseFault::Markup)),
            }
            if self.open.len() + depth > self.limits.depth {
                return Err(self.fault(ParseFault::TooDeep));
            }
            if let Some((text, most)) = &mut into {
                text.extend_from_slice(&self.token);
                if text.len() > *most {
                    return Err(self.fault(ParseFault::TooLarge));
                }
            }
        }
        self.state = State::Between;
        Ok(())
    }

    fn leave(&mut self) -> Option<StartTag> {
        self.open.pop();
        self.state = State::Between;
        None
    }

    fn start(&mut self, is_empty: bool, line: u32) -> Result<StartTag, StreamError> {
        let fault = |fault| StreamError::Xml(ParseError { line, fault });
        if self.open.is_empty() && std::mem::replace(&mut self.has_root, true) {
            return Err(fault(ParseFault::OutsideRoot));
        }
        if self.open.len() >= self.limits.depth {
            return Err(fault(ParseFault::TooDeep));
        }
        let end = if is_empty { "/>" } else { ">" };
        let inside = std::str::from_utf8(&self.token)
            .map_err(|_| fault(ParseFault::NotUtf8))?
            .strip_prefix('<')
            .and_then(|token| token.strip_suffix(end))
            .ok_or_else(|| fault(ParseFault::Markup))?;
        if find_forbidden(inside).is_some() {
            return Err(fault(ParseFault::Character));
        }
        let around = self.open.iter().flatten();
        let mut scope = Scope::of(around.map(|(prefix, uri)| Declaration { prefix, uri }));
        let (mut attributes, mut declarations) = (Vec::new(), Vec::new());
        let tag =
            tag::read(inside, 0, &self.limits, &mut scope, &mut attributes, &mut declarations)
                .map_err(fault)?;
        let own = |attribute: &Attribute<'_>| {
            let is_own = attribute.namespace.is_empty();
            is_own.then(|| (attribute.local.to_owned(), attribute.value.clone().into_owned()))
        };
        let declared = |it: &Declaration<'_>| (it.prefix.to_owned(), it.uri.to_owned());
        let tag = StartTag {
            namespace: tag.namespace.to_owned(),
            local: tag.local.to_owned(),
            name: tag.written_name(),
            attributes: attributes.iter().filter_map(own).collect(),
            declarations: declarations.iter().map(declared).collect(),
            source: inside.to_owned(),
            is_empty,
            line,
        };
        // An element without content is over already, unless it is entered.
        self.state = if is_empty { State::Between } else { State::AtStart };
        Ok(tag)
    }

    /// Reads one token into `self.token`.
    fn next(&mut self) -> Result<Token, StreamError> {
        loop {
            self.token.clear();
            self.tokens.get_mut().token = MOST_TOKEN;
            let kind = self.tokens.read_event_into(&mut self.token).map(|event| kind(&event));
            let read = match kind {
                Ok(Kind::Token(token)) => Ok(Some(token)),
                // Kept in what is copied, and without meaning elsewhere.
                Ok(Kind::Comment) if !self.open.is_empty() || self.state == State::AtStart => {
                    Ok(Some(Token::Text))
                }
                Ok(Kind::Comment) => Ok(None),
                Ok(Kind::Declaration) if !self.has_root => Ok(None),
                Ok(Kind::Declaration) => Err(ParseFault::Declaration),
                Ok(Kind::Refused(fault)) => Err(fault),
                Err(_) if self.tokens.get_ref().is_over => Err(ParseFault::TooLarge),
                Err(quick_xml::Error::Io(error)) => {
                    return Err(StreamError::Read(io::Error::new(error.kind(), error.to_string())));
                }
                Err(_) if std::str::from_utf8(&self.token).is_err() => Err(ParseFault::NotUtf8),
                Err(_) => Err(ParseFault::Markup),
            };
            let read = read.map_err(|fault| self.fault(fault))?;
            let lines = self.token.iter().filter(|byte| **byte == b'\n').count();
            self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            if let Some(token) = read {
                return Ok(token);
            }
        }
    }

    /// White space, and the byte order mark that some editors write; the tokenizer takes it away
    /// only where its three bytes arrive together.
    fn is_blank(&self) -> bool {
        let is_ignored = |c: char| is_space(c) || (c == '\u{FEFF}' && !self.has_root);
        std::str::from_utf8(&self.token).is_ok_and(|text| text.chars().all(is_ignored))
    }

    fn fault(&self, fault: ParseFault) -> StreamError {
        StreamError::Xml(ParseError { line: self.line, fault })
    }
}

enum Token {
    Start {
        is_empty: bool,
    },
    End,
    /// Whatever has no part in the structure.
    Text,
    Eof,
}

/// What the tokenizer found.
enum Kind {
    Token(Token),
    Comment,
    Declaration,
    Refused(ParseFault),
}

fn kind(event: &Event<'_>) -> Kind {
    match event {
        Event::Start(_) => Kind::Token(Token::Start { is_empty: false }),
        Event::Empty(_) => Kind::Token(Token::Start { is_empty: true }),
        Event::End(_) => Kind::Token(Token::End),
        Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => Kind::Token(Token::Text),
        Event::Eof => Kind::Token(Token::Eof),
        Event::Comment(_) => Kind::Comment,
        Event::Decl(_) => Kind::Declaration,
        Event::PI(_) => Kind::Refused(ParseFault::ProcessingInstruction),
        Event::DocType(_) => Kind::Refused(ParseFault::DocumentType),
    }
}

/// Lets no token and no document take more than it may.
struct Metered<R> {
    source: R,
    /// What the token under way and the document may still take, in bytes.
    token: u64,
    total: u64,
    is_over: bool,
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.token.min(self.total);
        let ready = self.source.fill_buf()?;
        if left == 0 && !ready.is_empty() {
            self.is_over = true;
            return Err(io::Error::other("a limit is reached"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(ready.len());
        Ok(ready.get(..most).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        let bytes = u64::try_from(amount).unwrap_or(u64::MAX);
        self.token = self.token.saturating_sub(bytes);
        self.total = self.total.saturating_sub(bytes);
        self.source.consume(amount);
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
