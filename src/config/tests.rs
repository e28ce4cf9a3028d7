use std::collections::HashMap;
use std::io::Write as _;

use super::keys::{KEYS, Set};
use super::*;

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Config::load(Some(file.path()), |name| variables.get(name).map(|text| (*text).to_owned()))
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    parse_with(text, &[])
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_example_changes_nothing() {
    let example = parse(EXAMPLE).unwrap();
    assert_eq!(format!("{example:?}"), format!("{:?}", Config::default()));
}

/// Keys of the example with the comment above each; commented-out keys are `#key = value`.
fn example_keys() -> Vec<(String, String)> {
    let (mut section, mut comment, mut keys) = (String::new(), String::new(), Vec::new());
    for line in EXAMPLE.lines() {
        let key = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if let Some((name, _)) = key.split_once(" = ").filter(|_| !line.starts_with("# ")) {
            keys.push((format!("{section}{name}"), std::mem::take(&mut comment)));
        } else if line.starts_with("# ") {
            comment += line;
        } else {
            comment.clear();
        }
    }
    keys
}

#[test]
fn the_example_lists_every_key_once_with_meaning_default_and_variable() {
    let listed = example_keys();
    let names: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    let known: Vec<_> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(names, known);
    for ((name, comment), key) in listed.iter().zip(KEYS) {
        let variable = format!("Environment: {}", key.variable());
        assert!(comment.ends_with(&variable), "{name} lacks {variable}: {comment}");
        let meaning = comment.split("# Default: ").next().unwrap();
        assert!(comment.contains("# Default: ") && meaning.len() > 30, "{name}: {comment}");
    }
}

#[test]
fn the_commented_out_parts_of_the_example_are_valid() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with("[[") || rest.contains(" = ") => rest,
            _ => line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line),
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config = parse(&uncommented).unwrap();
    assert!(config.saml.entity_id.is_some() && config.keys.kek_file.is_some());
    assert_eq!(config.clients[0].client.id.as_str(), "wiki");
    let idp = &config.identity_providers[0];
    assert_eq!((idp.id.as_str(), idp.metadata.to_str()), ("corp", Some("corp.xml")));
    assert_eq!(idp.settings.domains.len(), 1);
}

#[test]
fn every_key_can_be_set_by_its_variable_which_wins_over_the_file() {
    let config = parse_with(
        "issuer = 'https://file.example'\n[session]\nidle = '1h'\n",
        &[
            ("SLOOP_ISSUER", "https://login.example.com/t1"),
            ("SLOOP_LISTEN", "[::]:80"),
            ("SLOOP_DATABASE", "sqlite:/var/lib/sloop/sloop.db"),
            ("SLOOP_TRUSTED_PROXIES", "10.0.0.1, fd00::/8,"),
            ("SLOOP_SAML_ENTITY_ID", "urn:example:sp"),
            ("SLOOP_TOKENS_CODE", "30s"),
            ("SLOOP_LOGOUT_SCOPE", "op_only"),
            ("SLOOP_LOGOUT_ALLOWED_URLS", "https://a.example/x,https://*.b.example"),
        ],
    )
    .unwrap();
    assert_eq!(config.issuer.as_str(), "https://login.example.com/t1");
    assert_eq!(config.listen.to_string(), "[::]:80");
    assert_eq!(config.database, DatabaseUrl::Sqlite("/var/lib/sloop/sloop.db".into()));
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.saml.entity_id.as_ref().map(EntityId::as_str), Some("urn:example:sp"));
    assert_eq!(config.session.idle, Duration::from_secs(3600));
    assert_eq!(config.tokens.code, Duration::from_secs(30));
    assert_eq!(config.logout.scope, LogoutScope::OpOnly);
    assert_eq!(config.logout.allowed_urls.len(), 2);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_one_that_was_meant() {
    for (text, line, rest) in [
        ("isuer = 'x'", 1, "unknown key isuer; did you mean issuer?"),
        ("\n\n[session]\nidel = '1h'", 4, "unknown key session.idel"),
        ("idle = '1h'", 1, "unknown key idle; did you mean session.idle?"),
        ("[sesion]\nidle = '1h'", 1, "unknown key sesion"),
        ("[tokens]\ncode = '1m'\nidle = '1h'", 3, "unknown key tokens.idle; did you mean session"),
        ("future = 1", 1, "unknown key future; remove it"),
        ("[[clients]]\nid = 'a'\nredirect_uri = 'x'", 3, "clients: unknown field `redirect_uri`"),
        (
            "[[identity_providers]]\nid = 'a'\nmetadata = 'm'\nx = 1",
            4,
            "identity_providers: unknown",
        ),
    ] {
        let error = error(text);
        assert!(error.contains(&format!(".toml:{line}: {rest}")), "{text}: {error}");
    }
}

#[test]
fn a_bad_value_is_named_with_key_value_and_mend() {
    for (text, line, rest) in [
        ("issuer = 'http://a.example'", 1, "issuer = 'http://a.example' is not usable: plain http"),
        ("\nlisten = '8080'", 2, "listen = '8080' is not usable: write an address and a port"),
        ("listen = 8080", 1, "listen = 8080 is not usable: write a text in quotes"),
        (
            "trusted_proxies = '10.0.0.1'",
            1,
            "trusted_proxies = '10.0.0.1' is not usable: write a list",
        ),
        (
            "egress_allow = ['10.0.0.0/8', 'x']",
            1,
            "egress_allow = ['10.0.0.0/8', 'x'] is not usable: \"x\": ",
        ),
        (
            "[tokens]\ncode = '11m'",
            2,
            "tokens.code = '11m' is not usable: write a duration from 1s to 10m",
        ),
        ("[logout]\nscope = 'all'", 2, "logout.scope = 'all' is not usable: write op_only"),
        ("[logout]\nallowed_urls = ['a.example']", 2, "logout.allowed_urls = "),
        ("metadata_dir = ''", 1, "metadata_dir = '' is not usable: write a path"),
        ("issuer = 'a'\nissuer = 'b'", 2, ""),
        ("issuer = ", 1, ""),
        ("clients = 1", 1, "clients: write [[clients]]"),
        ("[[identity_providers]]\nid = 'a'", 1, "identity_providers: an entry without metadata"),
        ("[[identity_providers]]\nid = 'a b'\nmetadata = 'x'", 2, "identity_providers.id: "),
        ("[[clients]]\nid = 'a'", 1, "clients: redirect_uris: is empty"),
    ] {
        let error = error(text);
        assert!(error.contains(&format!(".toml:{line}: {rest}")), "{text}: {error}");
    }
    let variable = parse_with("", &[("SLOOP_SESSION_IDLE", "soon")]).unwrap_err().to_string();
    let expected = "environment variable SLOOP_SESSION_IDLE: session.idle = \"soon\" is not usable";
    assert!(variable.starts_with(expected), "{variable}");
}

#[test]
fn an_error_never_shows_the_password_of_the_database() {
    for text in ["mysql://u:hunter2@h/d", "postgres://u:hunter2@h/d?sslmode=maybe"] {
        for error in [
            parse(&format!("database = '{text}'")).unwrap_err(),
            parse_with("", &[("SLOOP_DATABASE", text)]).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("database = (not shown)"), "{error}");
        }
    }
}

#[test]
fn what_keys_get_wrong_together() {
    let outside = "listen = '0.0.0.0:8080'\n";
    assert!(error(outside).contains("trusted_proxies"));
    assert!(parse(&format!("{outside}trusted_proxies = ['10.0.0.1']")).is_ok());
    let server = "database = 'postgres://u@h/d'\n";
    assert_eq!(parse(server).unwrap_err(), ConfigError::NoKekFile);
    assert!(parse(&format!("{server}[keys]\nkek_file = '/k'")).is_ok());
    let idle = "[session]\nidle = '2h'\nabsolute = '1h'";
    assert_eq!(parse(idle).unwrap_err(), ConfigError::IdleBeyondAbsolute);
    let wait = "[logout]\nwait = '5s'\ndeadline = '14s'";
    assert_eq!(parse(wait).unwrap_err(), ConfigError::WaitBeyondDeadline);
    assert!(parse(&wait.replace("14s", "15s")).is_ok());
    let twice = "[[clients]]\nid = 'a'\nredirect_uris = ['https://a.example/']\n";
    assert_eq!(parse(twice).unwrap().clients.len(), 1);
    assert!(error(&twice.repeat(2)).contains(".toml:4: clients declares a a second time"));
}

#[test]
fn a_named_file_must_be_there() {
    let missing = Path::new("/nonexistent/sloop.toml");
    assert_eq!(Config::load(Some(missing), |_| None).unwrap_err().code(), "unreadable");
    let env = |name: &str| (name == FILE_VARIABLE).then(|| "/nonexistent/x.toml".to_owned());
    let error = Config::load(None, env).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/x.toml"), "{error}");
    // Without a name there need not be one.
    assert!(Config::load(None, |_| None).is_ok());
}

#[test]
fn loopback_is_open_to_requests_only_when_the_issuer_is_there() {
    assert!(parse("").unwrap().guard().allow_loopback);
    let config = parse("issuer = 'https://a.example'\negress_allow = ['10.0.0.0/8']").unwrap();
    assert!(!config.guard().allow_loopback);
    assert_eq!(config.guard().egress_allow, config.egress_allow);
}

#[test]
fn an_empty_variable_stands_for_not_set() {
    let text = "egress_allow = ['10.0.0.0/8']\n[keys]\nkek_file = '/k'";
    let variables = [("SLOOP_EGRESS_ALLOW", ""), ("SLOOP_KEYS_KEK_FILE", "")];
    let config = parse_with(text, &variables).unwrap();
    assert!(config.egress_allow.is_empty() && config.keys.kek_file.is_none());
    assert_eq!(parse(text).unwrap().egress_allow.len(), 1);
    // Every list is one that the environment can empty.
    for key in KEYS.iter().filter(|key| matches!(key.set, Set::List(_))) {
        assert!(parse_with("", &[(&key.variable(), "")]).is_ok(), "{}", key.path);
    }
}

#[test]
fn our_own_entity_id_fits_into_every_product() {
    let of = |bytes: usize| format!("https://sp.example/{}", "a".repeat(bytes - 19));
    let set = |bytes: usize| parse(&format!("[saml]\nentity_id = \"{}\"", of(bytes)));
    assert_eq!(set(256).unwrap().saml_entity_id().unwrap().as_str(), of(256));
    let refused = set(257).unwrap_err();
    assert!(refused.to_string().contains(":2: saml.entity_id"), "{refused}");
    assert!(refused.to_string().contains("at most 256 bytes"), "{refused}");
    // The URL of the metadata is the issuer's, and 14 bytes more.
    let issuer = |bytes: usize| parse(&format!("issuer = \"{}\"", of(bytes)));
    assert!(issuer(242).is_ok());
    assert_eq!(issuer(243).unwrap_err().code(), "entity_id_too_long");
}

#[test]
fn how_long_metadata_may_be_valid_is_a_time_or_none() {
    let set = |text: &str| parse(&format!("[saml]\nmetadata_max_validity = \"{text}\""));
    let fourteen_days = set("14d").unwrap().saml.metadata_max_validity;
    assert_eq!(fourteen_days.limit(), Some(Duration::from_secs(14 * 86_400)));
    assert_eq!(set("none").unwrap().saml.metadata_max_validity, MaxValidity::Unlimited);
    assert!(set("0s").unwrap_err().to_string().contains("from 1h to 366d"));
}
