use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{output, parse_serde};
use crate::change::Source;
use crate::clock::Clock;
use crate::connection::{
    BrowserBinding, EmailDomain, Fallback, IdpSettings, LogoutRequestMatch, LogoutUrl, MaxValidity,
    Pin, Setting, SettingsChange, UnsignedLogoutResponse, WithoutSessionIndex,
};
use crate::id::IdpId;
use crate::metadata_file;
use crate::oidc::SubjectSource;
use crate::saml::metadata::{InvalidMetadataUrl, MetadataUrl};
use crate::saml::{EntityId, MetadataKey};
use crate::use_cases::{IdpReport, Refreshed, SaveIdp, UseCases};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Connect an IdP by its metadata, or load new metadata for one that is connected
    Add(Box<Add>),
    /// All IdPs
    List {
        #[arg(long)]
        json: bool,
    },
    /// One IdP, as it was understood
    Show {
        id: IdpId,
        #[arg(long)]
        json: bool,
    },
    /// Look for new metadata where an IdP's metadata came from: of one, or of all that have a URL
    Refresh {
        id: Option<IdpId>,
        #[arg(long)]
        json: bool,
    },
    /// What we understand of a metadata file or a connected IdP, and what logout will do there
    Check {
        /// A file, or the id of an IdP
        what: String,
        /// Which entity of the file is meant
        #[arg(long, value_name = "E")]
        entity_id: Option<EntityId>,
        /// The key that must have signed the file: PEM of a certificate or public key
        #[arg(long, value_name = "FILE")]
        metadata_key: Option<PathBuf>,
        /// How far ahead the file's validUntil may be, such as 14d
        #[arg(long, value_name = "DURATION")]
        metadata_max_validity: Option<MaxValidity>,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(super) struct Add {
    id: IdpId,
    /// The metadata: a file, an https URL, or mdq:BASE-URL of a metadata query service, which is asked
    /// for --entity-id
    #[arg(long, value_name = "FILE-or-URL")]
    metadata: String,
    /// Which entity of the file is meant, if there are several
    #[arg(long, value_name = "E")]
    entity_id: Option<EntityId>,
    /// The key that must have signed the metadata, in a file: PEM of a certificate or public key.
    /// `none` takes it away again
    #[arg(long, value_name = "FILE")]
    metadata_key: Option<PathBuf>,
    /// How far ahead the metadata's validUntil may be, such as 14d; without one it is refused then.
    /// `none` asks for nothing; else as the configuration says
    #[arg(long, value_name = "DURATION")]
    metadata_max_validity: Option<MaxValidity>,
    /// Where the person's identity comes from: name_id (the default), or attribute:NAME
    #[arg(long)]
    subject: Option<SubjectSource>,
    /// Whether LogoutRequests go to its logout URL: true (the default), or false for an IdP whose single
    /// logout does harm; then the fallback counts
    #[arg(long)]
    single_logout: Option<bool>,
    /// What to do at logout if the IdP has no logout URL: login-url (the default), url:URL, or local
    #[arg(long)]
    fallback: Option<Fallback>,
    /// Whether the NameID of LogoutRequests is encrypted for a key of its metadata: true, or false (the
    /// default)
    #[arg(long)]
    encrypt_name_id: Option<bool>,
    /// When the IdP gave no SessionIndex: name_id_only (the default), or next_rung
    #[arg(long, value_parser = parse_serde::<WithoutSessionIndex>)]
    without_session_index: Option<WithoutSessionIndex>,
    /// What an unsigned LogoutResponse is worth: unconfirmed (the default), or accept
    #[arg(long, value_parser = parse_serde::<UnsignedLogoutResponse>)]
    unsigned_logout_response: Option<UnsignedLogoutResponse>,
    /// Whether it is told that nobody waits for its answer to a LogoutRequest, and is asked last,
    /// because the person stays there: true, or false (the default)
    #[arg(long)]
    asynchronous_logout: Option<bool>,
    /// Whether its LogoutRequests are answered with Success even where an app could not be told, so
    /// that it goes on with its own logout: true, or false (the default)
    #[arg(long)]
    always_success: Option<bool>,
    /// Whether its LogoutRequests through a browser get no answer at all, for IdPs that break off
    /// at any: true, or false (the default)
    #[arg(long)]
    withhold_logout_response: Option<bool>,
    /// By what its LogoutRequests find sessions: name_id (the default), or session_index for IdPs that
    /// write another NameID there than they assert
    #[arg(long, value_parser = parse_serde::<LogoutRequestMatch>)]
    logout_request_match: Option<LogoutRequestMatch>,
    /// Another Issuer that its LogoutResponses may name; `none` takes it away again
    #[arg(long, value_name = "E")]
    logout_response_issuer: Option<Setting<EntityId>>,
    /// Whether AuthnRequests are signed: true (the default), or false
    #[arg(long)]
    sign_requests: Option<bool>,
    /// Whether AES-CBC is decrypted although nothing signed the ciphertext: false (the default), or
    /// true for an IdP that can neither use AES-GCM nor sign the Response
    #[arg(long)]
    allow_cbc: Option<bool>,
    /// Whether an assertion must be encrypted: true or false; else as the configuration says
    #[arg(long)]
    require_encryption: Option<bool>,
    /// An e-mail domain whose people belong to this IdP
    #[arg(long = "domain", value_name = "D")]
    domains: Vec<EmailDomain>,
    /// Where LogoutRequests go, whatever the metadata says; `none` takes it away again
    #[arg(long, value_name = "URL")]
    slo_url: Option<Setting<LogoutUrl>>,
    /// The binding for LogoutRequests where the IdP offers both: redirect or post
    #[arg(long, value_parser = parse_serde::<BrowserBinding>)]
    slo_binding: Option<BrowserBinding>,
    /// The binding for AuthnRequests where the IdP offers both: redirect or post
    #[arg(long, value_parser = parse_serde::<BrowserBinding>)]
    sso_binding: Option<BrowserBinding>,
}

/// `open` opens the store; checking a file does not need one.
pub(super) async fn run(
    command: Command,
    open: impl AsyncFnOnce() -> anyhow::Result<UseCases>,
) -> anyhow::Result<bool> {
    match command {
        Command::Add(add) => {
            let use_cases = open().await?;
            let metadata = add.metadata.clone();
            let (id, change) = add.change()?;
            let existing = use_cases.idp_settings(&id).await?;
            let report = match metadata.parse::<MetadataUrl>() {
                Ok(url) => use_cases.connect_idp(id, change.into(), &url).await?,
                Err(error @ InvalidMetadataUrl::Credentials) => {
                    anyhow::bail!("--metadata: {error}")
                }
                Err(error) if MetadataUrl::is_query(&metadata) => {
                    anyhow::bail!("--metadata {metadata}: {error}")
                }
                Err(_) => {
                    let settings = change.clone().apply(existing.unwrap_or_default());
                    let metadata = metadata_file::read(Path::new(&metadata), &settings)?;
                    let (settings, source) = (change.into(), Source::Admin);
                    use_cases.save_idp(SaveIdp { id, settings, metadata, source }).await?
                }
            };
            print_report(&report);
        }
        Command::List { json } => {
            let listed = open().await?.idps().await?;
            if json {
                let rows: Vec<_> = listed
                    .iter()
                    .map(|(id, report)| match report {
                        Ok(report) => serde_json::json!(report),
                        Err(problem) => serde_json::json!({"id": id, "unusable": problem}),
                    })
                    .collect();
                output::json(&rows)?;
            } else {
                let row = |(id, report): &(IdpId, Result<IdpReport, String>)| {
                    let (entity_id, state) = match report {
                        Ok(report) if report.disabled => (report.entity_id.as_str(), "disabled"),
                        Ok(report) => (report.entity_id.as_str(), "usable"),
                        Err(problem) => (problem.as_str(), "unusable"),
                    };
                    vec![id.to_string(), state.to_owned(), entity_id.to_owned()]
                };
                let rows: Vec<_> = listed.iter().map(row).collect();
                output::table(&["IDP", "STATE", "ENTITY ID"], &rows);
            }
        }
        Command::Show { id, json } => show(&open().await?.idp(&id).await?, json)?,
        Command::Refresh { id, json } => return refresh(&open().await?, id, json).await,
        Command::Check { what, entity_id, metadata_key, metadata_max_validity, json } => {
            let path = Path::new(&what);
            let report = if path.is_file() {
                let metadata_key = metadata_key.as_deref().map(read_key).transpose()?;
                let settings = IdpSettings {
                    entity_id,
                    metadata_key,
                    metadata_max_validity,
                    ..IdpSettings::default()
                };
                let now = Clock::system().now();
                let metadata = metadata_file::read(path, &settings)?;
                IdpReport::of_document("file".parse()?, settings, &metadata, now)
                    .map_err(|reason| anyhow::anyhow!("{what}: {reason}"))?
            } else {
                let id: IdpId =
                    what.parse().with_context(|| format!("{what:?} is no file and no IdP"))?;
                open().await?.idp(&id).await?
            };
            show(&report, json)?;
        }
    }
    Ok(true)
}

impl Add {
    /// For a connection that exists, what is not mentioned stays.
    fn change(self) -> anyhow::Result<(IdpId, SettingsChange)> {
        let metadata_key = match self.metadata_key.as_deref() {
            None => None,
            Some(file) if file == Path::new("none") => Some(Pin::Nothing),
            Some(file) => Some(Pin::Key(read_key(file)?)),
        };
        let change = SettingsChange {
            entity_id: self.entity_id,
            metadata_key,
            metadata_max_validity: self.metadata_max_validity,
            subject: self.subject,
            single_logout: self.single_logout,
            fallback: self.fallback,
            encrypt_name_id: self.encrypt_name_id,
            without_session_index: self.without_session_index,
            unsigned_logout_response: self.unsigned_logout_response,
            asynchronous_logout: self.asynchronous_logout,
            always_success: self.always_success,
            withhold_logout_response: self.withhold_logout_response,
            logout_request_match: self.logout_request_match,
            logout_response_issuer: self.logout_response_issuer,
            sign_requests: self.sign_requests,
            allow_cbc: self.allow_cbc,
            require_encryption: self.require_encryption,
            slo_url: self.slo_url,
            slo_binding: self.slo_binding,
            sso_binding: self.sso_binding,
            domains: (!self.domains.is_empty()).then_some(self.domains),
        };
        Ok((self.id, change))
    }
}

/// Exit code 1 if one of them failed.
async fn refresh(use_cases: &UseCases, id: Option<IdpId>, json: bool) -> anyhow::Result<bool> {
    let ids = match id {
        Some(id) => vec![id],
        None => use_cases.refreshable_idps().await?,
    };
    let (mut rows, mut all_well) = (Vec::new(), true);
    for id in ids {
        let (result, detail) = match use_cases.refresh_idp(&id).await {
            Ok(Refreshed::Unchanged) => ("unchanged", String::new()),
            Ok(Refreshed::Updated { changes }) => ("updated", changes),
            Err(failure) => {
                all_well = false;
                ("failed", failure.to_string())
            }
        };
        rows.push((id, result, detail));
    }
    if json {
        let object = |row: &(IdpId, &str, String)| {
            let (id, result, detail) = row;
            serde_json::json!({ "id": id, "result": result, "detail": detail })
        };
        output::json(&rows.iter().map(object).collect::<Vec<_>>())?;
    } else {
        let row = |(id, result, detail): &(IdpId, &str, String)| {
            vec![id.to_string(), (*result).to_owned(), detail.clone()]
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        output::table(&["IDP", "RESULT", "DETAIL"], &rows);
    }
    Ok(all_well)
}

fn read_key(path: &Path) -> anyhow::Result<MetadataKey> {
    Ok(metadata_file::read_key(path)?)
}

fn show(report: &IdpReport, json: bool) -> anyhow::Result<()> {
    match json {
        true => output::json(report),
        false => {
            print_report(report);
            Ok(())
        }
    }
}

/// What was settled otherwise than by default.
fn settled(settings: &IdpSettings) -> Vec<(String, String)> {
    let written = |settings: &IdpSettings| match serde_json::to_value(settings) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let usual = written(&IdpSettings::default());
    let changed =
        written(settings).into_iter().filter(|(name, value)| usual.get(name) != Some(value));
    changed
        .map(|(name, value)| {
            let text = value.as_str().map(str::to_owned);
            (name, text.unwrap_or_else(|| value.to_string()))
        })
        .collect()
}

fn print_report(report: &IdpReport) {
    let line = |name: &str, value: &str| println!("{name:<14} {value}");
    line("IdP", report.id.as_str());
    line("entity ID", &report.entity_id);
    if let Some(name) = &report.display_name {
        line("name", name);
    }
    line("product", report.product.as_deref().unwrap_or("not recognised"));
    if report.disabled {
        line("state", "disabled");
    }
    let many = |name: &str, values: &[String]| match values {
        [] => line(name, "none"),
        values => values.iter().for_each(|value| line(name, value)),
    };
    many("sign-in", &report.sign_in);
    many("single logout", &report.single_logout);
    many("key", &report.keys);
    for key in &report.encryption_keys {
        line("encryption", key);
    }
    line("NameID encrypt", &report.name_id_encryption);
    for endpoint in &report.unused_endpoints {
        line("not used", endpoint);
    }
    if let Some(end) = &report.valid_until {
        line("valid until", end);
    }
    if let Some(seconds) = report.cache_duration {
        line("cache", &format!("{seconds} s"));
    }
    line("signature", report.signature);
    if let Some(refresh) = &report.refresh {
        line("from", &format!("{}, asked again at {}", refresh.url, refresh.next_at));
        if let Some(failure) = &refresh.failure {
            line("", &format!("the last look at {} failed: {failure}", refresh.checked_at));
        }
    }
    for (setting, value) in settled(&report.settings) {
        line("setting", &format!("{setting} = {value}"));
    }
    line("logout", &report.logout);
    for step in report.ladder.iter().skip(1) {
        line("", &format!("If {}: {}", step.when, step.then));
    }
    for warning in &report.warnings {
        line("warning", warning);
    }
    for advice in &report.advice {
        line("advice", advice);
    }
    for (setting, value) in &report.recommended {
        line("recommended", &format!("{setting} = {value}"));
    }
}
