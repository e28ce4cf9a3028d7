//! Settings from a TOML file.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{ConfigError, Place};
use super::keys::{KEYS, Key, Set};
use super::{Config, DeclaredClient, DeclaredIdp};
use crate::oidc::{Client, ClientSettings};

const CLIENTS: &str = "clients";
const IDENTITY_PROVIDERS: &str = "identity_providers";

/// Reads `text`, the content of the file at `path`.
pub(super) fn read(config: &mut Config, path: &Path, text: &str) -> Result<(), ConfigError> {
    let source = Source { path, text };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: source.place(error.span()),
        reason: error.message().to_owned(),
    })?;
    for (name, value) in table.into_inner() {
        let span = name.span();
        match (name.get_ref().as_ref(), value.get_ref()) {
            (CLIENTS, _) => source.clients(config, value)?,
            (IDENTITY_PROVIDERS, _) => source.identity_providers(config, value)?,
            (section, DeValue::Table(keys)) if is_section(section) => {
                for (name, value) in keys {
                    let key = format!("{section}.{}", name.get_ref());
                    source.set(config, &key, &name.span(), value)?;
                }
            }
            (key, _) => source.set(config, key, &span, &value)?,
        }
    }
    Ok(())
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.section() == name && !name.is_empty())
}

struct Source<'t> {
    path: &'t Path,
    text: &'t str,
}

impl Source<'_> {
    fn place(&self, span: Option<Range<usize>>) -> Place {
        let before = span.and_then(|span| self.text.get(..span.start)).unwrap_or_default();
        Place::File { path: self.path.to_owned(), line: before.matches('\n').count() + 1 }
    }

    fn set(
        &self,
        config: &mut Config,
        name: &str,
        span: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let place = self.place(Some(span.clone()));
        let Some(key) = Key::find(name) else {
            return Err(ConfigError::UnknownKey {
                place,
                key: name.to_owned(),
                meant: meant(name),
            });
        };
        let result = match key.set {
            Set::One(set) => match value.get_ref().as_str() {
                Some(text) => set(config, text),
                None => Err("write a text in quotes".to_owned()),
            },
            Set::Flag(set) => match value.get_ref().as_bool() {
                Some(flag) => {
                    set(config, flag);
                    Ok(())
                }
                None => Err("write true or false, without quotes".to_owned()),
            },
            Set::List(set) => match texts(value.get_ref()) {
                Some(texts) => set(config, &texts),
                None => Err("write a list of texts, for example [\"one\", \"two\"]".to_owned()),
            },
        };
        result.map_err(|mend| ConfigError::BadValue {
            place,
            key: name.to_owned(),
            value: match self.text.get(value.span()) {
                Some(written) if !key.secret => written.to_owned(),
                _ => "(not shown)".to_owned(),
            },
            mend,
        })
    }

    fn clients(&self, config: &mut Config, value: Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
        for (span, mut entry) in self.entries(CLIENTS, value)? {
            let secret_file = self.take_optional(CLIENTS, "secret_file", &mut entry)?;
            let settings: ClientSettings = self.rest(CLIENTS, span.clone(), entry)?;
            let client = Client::parse(settings)
                .map_err(|error| self.bad_entry(CLIENTS, Some(span.clone()), &error.to_string()))?;
            if config.clients.iter().any(|other| other.client.id == client.id) {
                return Err(self.duplicate(CLIENTS, span, client.id));
            }
            config.clients.push(DeclaredClient { client, secret_file });
        }
        Ok(())
    }

    fn identity_providers(
        &self,
        config: &mut Config,
        value: Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        const KEY: &str = IDENTITY_PROVIDERS;
        for (span, mut entry) in self.entries(KEY, value)? {
            let id = self.take(KEY, "id", &span, &mut entry)?;
            if config.identity_providers.iter().any(|other| other.id == id) {
                return Err(self.duplicate(KEY, span, id));
            }
            let metadata = self.take(KEY, "metadata", &span, &mut entry)?;
            let metadata_key = self.take_optional(KEY, "metadata_key", &mut entry)?;
            let settings = self.rest(KEY, span, entry)?;
            let declared = DeclaredIdp { id, metadata, metadata_key, settings };
            config.identity_providers.push(declared);
        }
        Ok(())
    }

    /// The tables of an array of tables, each with its place.
    fn entries<'v>(
        &self,
        key: &str,
        value: Spanned<DeValue<'v>>,
    ) -> Result<Vec<(Range<usize>, DeTable<'v>)>, ConfigError> {
        let span = value.span();
        let DeValue::Array(entries) = value.into_inner() else {
            return Err(self.bad_entry(key, Some(span), &format!("write [[{key}]]")));
        };
        entries
            .into_iter()
            .map(|entry| {
                let span = entry.span();
                match entry.into_inner() {
                    DeValue::Table(table) => Ok((span, table)),
                    _ => Err(self.bad_entry(key, Some(span), &format!("write [[{key}]]"))),
                }
            })
            .collect()
    }

    /// Takes a required member out of an entry.
    fn take<T: DeserializeOwned>(
        &self,
        key: &str,
        member: &str,
        span: &Range<usize>,
        entry: &mut DeTable<'_>,
    ) -> Result<T, ConfigError> {
        let missing = || format!("an entry without {member}; add {member} = \"…\"");
        self.take_optional(key, member, entry)?
            .ok_or_else(|| self.bad_entry(key, Some(span.clone()), &missing()))
    }

    /// Takes a member out of an entry if it is there.
    fn take_optional<T: DeserializeOwned>(
        &self,
        key: &str,
        member: &str,
        entry: &mut DeTable<'_>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = entry.remove(member) else { return Ok(None) };
        let span = value.span();
        let taken = T::deserialize(ValueDeserializer::from(value)).map_err(|error| {
            let path = format!("{key}.{member}");
            self.bad_entry(&path, error.span().or(Some(span)), error.message())
        });
        taken.map(Some)
    }

    /// Reads what is left of an entry. An unknown member is an error with its name and its line.
    fn rest<T: DeserializeOwned>(
        &self,
        key: &str,
        span: Range<usize>,
        entry: DeTable<'_>,
    ) -> Result<T, ConfigError> {
        let value = Spanned::new(span.clone(), DeValue::Table(entry));
        T::deserialize(ValueDeserializer::from(value))
            .map_err(|error| self.bad_entry(key, error.span().or(Some(span)), error.message()))
    }

    fn bad_entry(&self, key: &str, span: Option<Range<usize>>, reason: &str) -> ConfigError {
        let place = self.place(span);
        ConfigError::BadEntry { place, key: key.to_owned(), reason: reason.to_owned() }
    }

    fn duplicate(&self, key: &str, span: Range<usize>, id: impl Into<String>) -> ConfigError {
        let place = self.place(Some(span));
        ConfigError::Duplicate { place, key: key.to_owned(), id: id.into() }
    }
}

fn texts<'v>(value: &'v DeValue<'_>) -> Option<Vec<&'v str>> {
    value.as_array()?.iter().map(|element| element.get_ref().as_str()).collect()
}

/// The key that was meant: the same name in another section, or one letter off.
fn meant(name: &str) -> Option<&'static str> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let near = |key: &&Key| last(key.path) == last(name) || is_one_off(key.path, name);
    KEYS.iter().find(near).map(|key| key.path)
}

/// Whether one letter more, less or other makes `a` of `b`.
fn is_one_off(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.bytes().peekable(), b.bytes().peekable());
    while a.peek().is_some() && a.peek() == b.peek() {
        a.next();
        b.next();
    }
    let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
    let without_first = |bytes: &[u8]| bytes.get(1..).map(<[u8]>::to_vec);
    without_first(&a).as_ref() == Some(&b)
        || without_first(&b).as_ref() == Some(&a)
        || (without_first(&a).is_some() && without_first(&a) == without_first(&b))
}
