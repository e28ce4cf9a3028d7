use std::collections::BTreeMap;

use serde::Serialize;

use crate::change::MetadataSource;
use crate::clock::Timestamp;
use crate::connection::{Connection, IdpSettings, MaxValidity};
use crate::id::IdpId;
use crate::logout::{Presence, Rung, WhyLocal};
use crate::saml::metadata::{OtherEndpoint, redacted};
use crate::saml::{Endpoint, KeyInfo, KeyUse, MetadataSignature, NameId, SessionIndex};
use crate::session::SignedIn;
use crate::use_cases::idp_advice::Advice;
use crate::xml::encrypt::Encryption;

/// What we understood of an IdP, and what logout will do there.
#[derive(Clone, Debug, Serialize)]
pub struct IdpReport {
    pub id: IdpId,
    pub entity_id: String,
    pub display_name: Option<String>,
    pub product: Option<String>,
    pub disabled: bool,
    pub source: String,
    pub sign_in: Vec<String>,
    pub single_logout: Vec<String>,
    /// What it offers beside, and nobody here uses.
    pub unused_endpoints: Vec<String>,
    pub keys: Vec<String>,
    pub encryption_keys: Vec<String>,
    /// Whether the NameIDs of LogoutRequests are encrypted, or could be, and how.
    pub name_id_encryption: String,
    pub want_authn_requests_signed: bool,
    pub name_id_formats: Vec<String>,
    pub scopes: Vec<String>,
    pub error_url: Option<String>,
    pub valid_until: Option<String>,
    /// In seconds.
    pub cache_duration: Option<u64>,
    /// Of the metadata: `verified` by the pinned key, `unchecked`, or `none`.
    pub signature: &'static str,
    /// Where new metadata is looked for, if it came from a URL.
    pub refresh: Option<RefreshReport>,
    pub settings: IdpSettings,
    /// What happens at the IdP when somebody signs out.
    pub logout: String,
    /// The same for each thing that the IdP may have asserted.
    pub ladder: Vec<LadderStep>,
    /// What is odd about the metadata.
    pub warnings: Vec<String>,
    /// What an administrator should know or change.
    pub advice: Vec<String>,
    /// The settings that `advice` recommends.
    pub recommended: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LadderStep {
    pub when: &'static str,
    pub then: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct RefreshReport {
    pub url: String,
    pub checked_at: String,
    pub next_at: String,
    /// Why the last look brought nothing, if it did not. What we have goes on to count.
    pub failure: Option<String>,
}

impl IdpReport {
    pub(super) fn of(
        connection: &Connection,
        disabled: bool,
        source: &str,
        refresh: Option<&MetadataSource>,
    ) -> Self {
        let metadata = &connection.metadata;
        let advice = Advice::of(connection);
        Self {
            id: connection.id.clone(),
            entity_id: metadata.entity_id.as_str().to_owned(),
            display_name: metadata.display_name.clone(),
            product: metadata.product().map(|product| product.name().to_owned()),
            disabled,
            source: source.to_owned(),
            sign_in: metadata.single_sign_on.iter().map(endpoint).collect(),
            single_logout: metadata.single_logout.iter().map(endpoint).collect(),
            unused_endpoints: metadata.other_endpoints.iter().map(other).collect(),
            keys: metadata.key_info.iter().map(key).collect(),
            encryption_keys: metadata.encryption_keys.iter().map(key).collect(),
            name_id_encryption: name_id_encryption(connection),
            want_authn_requests_signed: metadata.want_authn_requests_signed,
            name_id_formats: metadata.name_id_formats.clone(),
            scopes: metadata.scopes.clone(),
            error_url: metadata.error_url.clone(),
            valid_until: metadata.valid_until.map(|end| end.to_string()),
            cache_duration: metadata.cache_duration.map(|time| time.as_secs()),
            signature: match metadata.signature {
                MetadataSignature::None => "none",
                MetadataSignature::Unchecked => "unchecked",
                MetadataSignature::Verified => "verified",
            },
            refresh: refresh.map(RefreshReport::of),
            settings: connection.settings.clone(),
            logout: then(connection, &rung(connection, &asserted(true, true), Presence::Browser)),
            ladder: ladder(connection),
            warnings: metadata.warnings.iter().map(ToString::to_string).collect(),
            advice: advice.sentences,
            recommended: advice.settings,
        }
    }

    /// What is understood of a document that has not been saved.
    ///
    /// # Errors
    /// Element, line and reason.
    pub fn of_document(
        id: IdpId,
        settings: IdpSettings,
        metadata: &[u8],
        now: Timestamp,
    ) -> Result<Self, String> {
        let connection = Connection::parse(id, settings, metadata, MaxValidity::Unlimited, now);
        Ok(Self::of(&connection.map_err(|error| error.to_string())?, false, "not saved", None))
    }
}

impl RefreshReport {
    fn of(source: &MetadataSource) -> Self {
        Self {
            url: redacted(&source.url),
            checked_at: source.checked_at.to_string(),
            next_at: source.next_at.to_string(),
            failure: source.failure.as_deref().map(redacted),
        }
    }
}

fn endpoint(endpoint: &Endpoint) -> String {
    let returns = endpoint.response_location.as_ref();
    let returns = returns.map(|url| format!(" (responses to {url})")).unwrap_or_default();
    let asynchronous = if endpoint.asynchronous { " (also without an answer)" } else { "" };
    format!("{} {}{returns}{asynchronous}", endpoint.binding, endpoint.location)
}

fn other(other: &OtherEndpoint) -> String {
    format!("{} by {}", other.service, other.binding)
}

fn key(info: &KeyInfo) -> String {
    let certificate = match &info.certificate {
        Some(found) => format!(", certificate {:?} until {}", found.subject, found.not_after),
        None => ", no certificate".to_owned(),
    };
    let both = if info.meant_for == KeyUse::Both { ", for signing and encryption" } else { "" };
    format!("{} {} bits {}{certificate}{both}", info.kind, info.bits, info.thumbprint)
}

fn name_id_encryption(connection: &Connection) -> String {
    let wanted = connection.settings.encrypt_name_id;
    match &connection.metadata.recipient {
        Ok(recipient) => {
            let state = if wanted { "on" } else { "off; possible" };
            let Encryption { content, transport } = recipient.encryption();
            let (content, transport) = (content.algorithm().uri(), transport.method().uri);
            let short = |uri: &'static str| uri.rsplit('#').next().unwrap_or(uri);
            let (content, transport) = (short(content), short(transport));
            format!("{state}: {content} and {transport}, key {}", recipient.thumbprint())
        }
        Err(why) if wanted => format!("on, and not possible: {why}"),
        Err(why) => format!("off; not possible: {why}"),
    }
}

/// What logout does for each thing that an assertion may hold: asked of the code that does it.
fn ladder(connection: &Connection) -> Vec<LadderStep> {
    let step = |when, name_id, session_index, presence| {
        let rung = rung(connection, &asserted(name_id, session_index), presence);
        let scope = match rung {
            Rung::SingleLogout { .. } | Rung::AsynchronousLogout { .. } | Rung::Soap { .. }
                if !session_index =>
            {
                " It names no session: the IdP ends all that the person has with us."
            }
            _ => "",
        };
        LadderStep { when, then: format!("{}{scope}", then(connection, &rung)) }
    };
    vec![
        step("the assertion had a NameID and a SessionIndex", true, true, Presence::Browser),
        step("it had a NameID only", true, false, Presence::Browser),
        step("it had no NameID", false, false, Presence::Browser),
        step("no browser is there, as an administrator ends it", true, true, Presence::Nobody),
    ]
}

fn rung(connection: &Connection, signed_in: &SignedIn, presence: Presence) -> Rung {
    Rung::choose(Some(connection), signed_in, presence)
}

/// The facts that the ladder looks at.
fn asserted(name_id: bool, session_index: bool) -> SignedIn {
    let indexes = session_index.then(|| SessionIndex::parse("one").ok()).flatten();
    SignedIn {
        name_id: name_id.then(|| NameId {
            value: "somebody".to_owned(),
            format: None,
            name_qualifier: None,
            sp_name_qualifier: None,
            sp_provided_id: None,
        }),
        session_indexes: indexes.into_iter().collect(),
        authn_instant: Timestamp::from_seconds(0),
        authn_context: None,
        session_not_on_or_after: None,
        claims: serde_json::Map::new(),
    }
}

fn then(connection: &Connection, rung: &Rung) -> String {
    let request = match connection.recipient() {
        Ok(Some(_)) => "signed LogoutRequest with an encrypted NameID",
        _ => "signed LogoutRequest",
    };
    let no_single_logout = match connection.settings.single_logout {
        Some(false) => "`single_logout` is `false`",
        _ => "There is no logout URL that fits",
    };
    match rung {
        Rung::SingleLogout { binding, location } => {
            format!("A {request} goes by {binding} to {location}.")
        }
        Rung::Soap { location } => {
            format!("A {request} goes by SOAP from here to {location}.")
        }
        Rung::AsynchronousLogout { binding, location } => format!(
            "A {request} goes by {binding} to {location} and asks for no answer: the person stays \
             on the IdP's page, and the outcome is `unconfirmed`."
        ),
        Rung::LoginUrl { binding, location } => format!(
            "{no_single_logout}: a {request} goes by {binding} to the login URL {location}, and \
             without an answer the outcome is `unconfirmed`."
        ),
        Rung::Url { location } => {
            format!("{no_single_logout}: the browser is sent to {location}; nothing confirms it.")
        }
        Rung::Local { why } => {
            let why = match why {
                WhyLocal::NoNameId => "a LogoutRequest needs a NameID",
                WhyLocal::Configured => "`fallback` is `local`",
                WhyLocal::NoSessionIndex => {
                    "`without_session_index` is `next_rung`, and `fallback` is `local`"
                }
                WhyLocal::NoEndpoint => "there is no URL to send a browser to",
                WhyLocal::NoConnection => "the connection cannot be used",
                WhyLocal::Unreadable => "what it asserted cannot be read any more",
                WhyLocal::NoBrowser => "this IdP can only be asked through a browser",
                WhyLocal::SwitchedOff => "`single_logout` is `false`, and `fallback` is `local`",
                WhyLocal::NoEncryptionKey => {
                    "`encrypt_name_id` is set, and the metadata has no key to encrypt for"
                }
            };
            format!("Only our side ends, and the end page says so: {why}.")
        }
    }
}
