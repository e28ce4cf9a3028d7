//! What is wrong with a configuration is named with key and line, and nothing is begun.

use super::Place;

#[test]
fn a_bad_key_is_named_with_its_line() {
    for (text, says) in [
        (
            "issuer = \"http://localhost:1\"\nlisen = \"127.0.0.1:0\"\n",
            "sloop.toml:2: unknown key lisen; did you mean listen?",
        ),
        ("\n\nlisten = \"here\"\n", "sloop.toml:3: listen = \"here\""),
        ("issuer = \"http://app.example\"\n", "sloop.toml:1: issuer = \"http://app.example\""),
        ("[session]\nidle = \"8 hours\"\n", "sloop.toml:2: session.idle = \"8 hours\""),
        ("issuer = 5\n", "sloop.toml:1: issuer = 5"),
        (
            "[[clients]]\nid = \"wiki\"\nredirect_uris = [\"wiki\"]\n",
            "sloop.toml:1: clients: redirect_uris: \"wiki\"",
        ),
        ("issuer = \n", "sloop.toml:1:"),
        ("listen = \"0.0.0.0:8080\"\n", "trusted_proxies"),
        ("database = \"postgres://localhost/x\"\n", "keys.kek_file"),
    ] {
        let place = Place::new("");
        place.write("sloop.toml", text);
        for command in [&["serve"][..], &["client", "list"]] {
            let said = place.fails(1, command);
            assert!(said.contains(says), "{text}: {said}");
            assert!(!said.contains("panicked"), "{said}");
        }
        assert!(!place.path("sloop.db").exists(), "{text}");
    }
}

#[test]
fn the_file_and_the_environment_are_found_as_documented() {
    let place = Place::new("");
    place.write("sub/other.toml", "lisen = \"x\"\n");
    for arguments in [
        &["--config", "sub/other.toml", "client", "list"][..],
        &["client", "list", "--config", "sub/other.toml"],
    ] {
        assert!(place.fails(1, arguments).contains("sub/other.toml:1: unknown key lisen"));
    }
    assert!(place.fails(1, &["--config", "none.toml", "client", "list"]).contains("none.toml"));
    let with = |name: &str, value: &str| {
        let output = place.command(&["client", "list"]).env(name, value).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = with("SLOOP_CONFIG", "sub/other.toml");
    assert!(code == Some(1) && said.contains("sub/other.toml:1"), "{said}");
    let (code, said) = with("SLOOP_SESSION_IDLE", "long");
    assert!(code == Some(1) && said.contains("SLOOP_SESSION_IDLE"), "{said}");
    assert_eq!(with("SLOOP_DATABASE", "sqlite:elsewhere.db").0, Some(0));
    assert!(place.path("elsewhere.db").exists() && !place.path("sloop.db").exists());
    // And the file itself is fine.
    place.done(&["client", "list"]);
    assert!(place.path("sloop.db").exists());
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    let place = Place::new("");
    for arguments in [
        &[][..],
        &["serv"],
        &["serve", "--port", "1"],
        &["idp"],
        &["idp", "add", "corp"],
        &["idp", "add", "a b", "--metadata", "x"],
        &["client", "add", "wiki"],
        &["client", "add", "wiki", "--redirect-uri", "https://a.example/", "--scope", "half"],
        &["logout", "show", "x"],
    ] {
        let said = place.fails(2, arguments);
        assert!(said.contains("Usage") || said.contains("--help"), "{arguments:?}: {said}");
    }
    for arguments in [&["--help"][..], &["--version"], &["idp", "add", "--help"]] {
        assert!(place.done(arguments).contains("sloop"), "{arguments:?}");
    }
    assert!(!place.path("sloop.db").exists());
}
