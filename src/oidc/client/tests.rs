use super::*;

/// A confidential client with one URI of each kind.
pub(in crate::oidc) fn settings() -> ClientSettings {
    ClientSettings {
        id: "app".to_owned(),
        name: Some("The <App>".to_owned()),
        redirect_uris: vec!["https://app.example.com/cb".to_owned()],
        post_logout_redirect_uris: vec!["https://app.example.com/bye?a=b".to_owned()],
        allowed_logout_urls: vec!["https://*.example.com, https://a.example.org/x,".to_owned()],
        backchannel_logout_uri: Some("https://app.example.com/bcl?tenant=7".to_owned()),
        backchannel_logout_session_required: true,
        ..ClientSettings::default()
    }
}

pub(in crate::oidc) fn client() -> Client {
    Client::parse(settings()).unwrap()
}

#[test]
fn the_defaults_are_those_of_the_configuration() {
    let json = r#"{"id":"app","redirect_uris":["https://app.example.com/cb"]}"#;
    let client = Client::parse(serde_json::from_str(json).unwrap()).unwrap();
    assert_eq!(client.scope, LogoutScope::AllAppsAndIdp);
    assert_eq!(client.confirm, Confirm::Auto);
    assert_eq!(client.id_token_alg, KeyAlgorithm::Rs256);
    assert_eq!((client.min_state_length, client.public), (0, false));
    assert_eq!((client.name, client.logout_result), (None, false));
    assert!(!client.backchannel_logout_session_required);
    assert!(client.idps.is_empty());
}

#[test]
fn settings_survive_a_round_trip() {
    let client = client();
    assert_eq!(client.allowed_logout_urls.len(), 2);
    let json = serde_json::to_string(&client.settings()).unwrap();
    let again = Client::parse(serde_json::from_str(&json).unwrap()).unwrap();
    assert_eq!(again, client);
    assert!(json.contains(r#""scope":"all_apps_and_idp","confirm":"auto""#), "{json}");
    assert!(json.contains(r#""id_token_alg":"RS256""#), "{json}");
}

#[test]
fn unknown_keys_and_values_are_errors() {
    for json in [
        r#"{"id":"app","redirect_uri":["https://app.example.com/cb"]}"#,
        r#"{"id":"app","scope":"everything"}"#,
        r#"{"id":"app","id_token_alg":"none"}"#,
        r#"{"id":"app","id_token_alg":"HS256"}"#,
        r#"{"redirect_uris":[]}"#,
    ] {
        assert!(serde_json::from_str::<ClientSettings>(json).is_err(), "{json}");
    }
}

#[test]
fn errors_name_the_key_the_value_and_the_mend() {
    let error = |change: fn(&mut ClientSettings)| {
        let mut settings = settings();
        change(&mut settings);
        Client::parse(settings).unwrap_err().to_string()
    };
    assert_eq!(
        error(|s| s.redirect_uris.push("https://a/cb#x".to_owned())),
        r##"redirect_uris: "https://a/cb#x" has a fragment; remove everything from the # on"##
    );
    assert_eq!(
        error(|s| s.allowed_logout_urls = vec!["*.example.com".to_owned()]),
        "allowed_logout_urls: \"*.example.com\" has no scheme; \
         write for example https://*.example.com"
    );
    assert!(error(|s| s.id = "a b".to_owned()).starts_with(r#"id: "a b" is not an id"#));
    assert_eq!(
        error(|s| s.name = Some("a\nb".to_owned())),
        "name: \"a\\nb\" is not a name; use 1 to 100 characters, without control characters"
    );
    assert!(error(|s| s.idps = vec![String::new()]).starts_with("idps:"));
    assert!(error(|s| s.redirect_uris.clear()).starts_with("redirect_uris: is empty"));
    assert!(error(|s| s.min_state_length = 5000).starts_with("min_state_length: 5000"));
    assert_eq!(error(|s| s.idps = vec!["a".to_owned(); 65]), "idps: has more than 64 entries");
}

#[test]
fn a_back_channel_uri_is_https_or_a_confidential_clients_http() {
    let parse = |uri: &str, public: bool| {
        let uri = Some(uri.to_owned());
        Client::parse(ClientSettings { backchannel_logout_uri: uri, public, ..settings() })
    };
    for (uri, confidential, public) in [
        ("https://app.example.com/bcl?tenant=7", true, true),
        ("http://localhost:3000/bcl", true, true),
        ("http://app:8080/bcl", true, false),
        ("https://app.example.com/bcl#x", false, false),
        ("https://u@app.example.com/bcl", false, false),
        ("/bcl", false, false),
        ("ftp://app.example.com/", false, false),
    ] {
        assert_eq!(parse(uri, false).is_ok(), confidential, "{uri}");
        assert_eq!(parse(uri, true).is_ok(), public, "{uri}");
    }
}

#[test]
fn uris_of_requests_are_checked_against_their_own_list() {
    let client = client();
    let (cb, bye) = ("https://app.example.com/cb", "https://app.example.com/bye?a=b");
    assert_eq!(client.redirect_uri(cb).unwrap().as_str(), cb);
    assert_eq!(client.post_logout_uri(bye).unwrap().as_str(), bye);
    assert_eq!(client.redirect_uri(bye), Err(RedirectUriError::NotRegistered));
    assert_eq!(client.post_logout_uri(cb), Err(RedirectUriError::NotRegistered));
    assert_eq!(
        client.post_logout_uri("https://app.example.com/bye?a=b&c"),
        Err(RedirectUriError::NotRegistered)
    );
    assert!(client.return_to("https://x.example.com?y").is_some());
    assert!(client.return_to("https://example.net").is_none());
}

#[test]
fn only_a_public_client_may_vary_the_loopback_port() {
    let client = |public| {
        let redirect_uris = vec!["http://127.0.0.1/cb".to_owned()];
        Client::parse(ClientSettings { redirect_uris, public, ..settings() }).unwrap()
    };
    assert!(client(true).redirect_uri("http://127.0.0.1:51234/cb").is_ok());
    assert!(client(false).redirect_uri("http://127.0.0.1:51234/cb").is_err());
    assert!(client(false).redirect_uri("http://127.0.0.1/cb").is_ok());
}

#[test]
fn a_state_policy_counts_characters() {
    let client = Client::parse(ClientSettings { min_state_length: 22, ..settings() }).unwrap();
    assert!(client.accepts_state(Some(&"é".repeat(22))));
    assert!(!client.accepts_state(Some(&"é".repeat(21))));
    assert!(!client.accepts_state(None));
    assert!(self::client().accepts_state(None));
}
