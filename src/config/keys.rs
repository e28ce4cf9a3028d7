//! The one list of keys. File, environment and the commented example all follow it.

use std::net::SocketAddr;
use std::time::Duration;

use super::Config;
use super::value::{duration, each, optional, parse, path};
use crate::oidc::{AllowedLogoutUrl, HttpWildcards, LogoutScope};
use crate::saml::EntityId;

/// One key: its place in the file, and how its text becomes a value.
pub(super) struct Key {
    /// As in the file, with its section: `session.idle`.
    pub(super) path: &'static str,
    pub(super) set: Set,
    /// Whether the value may hold a password, so that an error must not show it.
    pub(super) secret: bool,
}

/// Sets a value, or says what to write instead.
pub(super) enum Set {
    /// A text.
    One(fn(&mut Config, &str) -> Result<(), String>),
    /// `true` or `false`, without quotes.
    Flag(fn(&mut Config, bool)),
    /// A list of texts; in the environment separated by commas.
    List(fn(&mut Config, &[&str]) -> Result<(), String>),
}

impl Key {
    /// `session.idle` is `SLOOP_SESSION_IDLE`.
    pub(super) fn variable(&self) -> String {
        format!("SLOOP_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    pub(super) fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// The section of a key, `""` for the top.
    pub(super) fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }
}

const fn one(path: &'static str, set: fn(&mut Config, &str) -> Result<(), String>) -> Key {
    Key { path, set: Set::One(set), secret: false }
}

const fn flag(path: &'static str, set: fn(&mut Config, bool)) -> Key {
    Key { path, set: Set::Flag(set), secret: false }
}

const fn list(path: &'static str, set: fn(&mut Config, &[&str]) -> Result<(), String>) -> Key {
    Key { path, set: Set::List(set), secret: false }
}

pub(super) static KEYS: &[Key] = &[
    one("issuer", |config, text| put(&mut config.issuer, parse(text))),
    one("listen", |config, text| put(&mut config.listen, address(text))),
    Key {
        path: "database",
        set: Set::One(|config, text| put(&mut config.database, parse(text))),
        secret: true,
    },
    one("metadata_dir", |config, text| put(&mut config.metadata_dir, path(text))),
    list("trusted_proxies", |config, texts| put(&mut config.trusted_proxies, each(texts))),
    one("ca_file", |config, text| put(&mut config.ca_file, optional(text))),
    list("egress_allow", |config, texts| put(&mut config.egress_allow, each(texts))),
    one("saml.entity_id", |config, text| put(&mut config.saml.entity_id, own_entity_id(text))),
    one("saml.clock_skew", |config, text| {
        put(&mut config.saml.clock_skew, duration(text, &(Duration::ZERO..=MAX_SKEW)))
    }),
    flag("saml.require_encryption", |config, flag| config.saml.require_encryption = flag),
    one("saml.metadata_max_validity", |config, text| {
        put(&mut config.saml.metadata_max_validity, parse(text))
    }),
    one("session.idle", |config, text| {
        put(&mut config.session.idle, duration(text, &(MINUTE..=MAX_SESSION)))
    }),
    one("session.absolute", |config, text| {
        put(&mut config.session.absolute, duration(text, &(MINUTE..=MAX_SESSION)))
    }),
    flag("session.notify_on_expiry", |config, flag| config.session.notify_on_expiry = flag),
    one("tokens.code", |config, text| {
        put(&mut config.tokens.code, duration(text, &(SECOND..=MAX_CODE)))
    }),
    one("tokens.access", |config, text| {
        put(&mut config.tokens.access, duration(text, &(SECOND..=DAY)))
    }),
    one("tokens.id", |config, text| put(&mut config.tokens.id, duration(text, &(SECOND..=DAY)))),
    one("keys.kek_file", |config, text| put(&mut config.keys.kek_file, optional(text))),
    one("logout.deadline", |config, text| {
        put(&mut config.logout.deadline, duration(text, &(SECOND..=HOUR)))
    }),
    one("logout.wait", |config, text| {
        put(&mut config.logout.wait, duration(text, &(Duration::ZERO..=MAX_WAIT)))
    }),
    list("logout.allowed_urls", |config, texts| {
        put(&mut config.logout.allowed_urls, logout_urls(texts))
    }),
    one("logout.scope", |config, text| put(&mut config.logout.scope, logout_scope(text))),
];

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// A replay must stay detectable for as long as a message is accepted.
const MAX_SKEW: Duration = Duration::from_secs(300);
const MAX_SESSION: Duration = Duration::from_secs(90 * 86_400);
/// RFC 6749 4.1.2.
const MAX_CODE: Duration = Duration::from_secs(600);
const MAX_WAIT: Duration = Duration::from_secs(10);

fn put<T>(slot: &mut T, value: Result<T, String>) -> Result<(), String> {
    *slot = value?;
    Ok(())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an address and a port, for example 127.0.0.1:8080 or [::1]:8080".to_owned()
    })
}

/// Ours, if one is set.
fn own_entity_id(text: &str) -> Result<Option<EntityId>, String> {
    match text {
        "" => Ok(None),
        text => EntityId::parse_own(text).map(Some).map_err(|error| error.to_string()),
    }
}

fn logout_urls(texts: &[&str]) -> Result<Vec<AllowedLogoutUrl>, String> {
    let parsed = texts.iter().map(|text| {
        AllowedLogoutUrl::parse(text, HttpWildcards::Refused)
            .map_err(|error| format!("{text:?}: {error}"))
    });
    parsed.collect()
}

fn logout_scope(text: &str) -> Result<LogoutScope, String> {
    match text {
        "op_only" => Ok(LogoutScope::OpOnly),
        "all_apps" => Ok(LogoutScope::AllApps),
        "all_apps_and_idp" => Ok(LogoutScope::AllAppsAndIdp),
        _ => Err("write op_only, all_apps or all_apps_and_idp".to_owned()),
    }
}
