//! `sloop idp`, `client` and `admin`, beside a running service and without one.

use serde_json::{Value, json};
use sloop::mock_idp::{MockIdp, Options, Slo};

use super::{Place, metadata_of};

#[test]
fn an_idp_is_checked_added_listed_and_shown() {
    let place = Place::new("");
    place.write("corp.xml", &metadata_of("https://corp.example"));
    // A check of a file needs no database and makes none.
    let checked = place.json(&["idp", "check", "corp.xml", "--json"]);
    assert_eq!(checked["entity_id"], "https://corp.example/metadata");
    assert!(!place.path("sloop.db").exists());

    let said = place.done(&[
        "idp",
        "add",
        "corp",
        "--metadata",
        "corp.xml",
        "--domain",
        "example.com",
        "--domain",
        "example.org",
        "--fallback",
        "local",
        "--subject",
        "attribute:uid",
        "--single-logout",
        "false",
        "--encrypt-name-id",
        "true",
    ]);

    assert!(said.contains("https://corp.example/metadata"), "{said}");
    let shown = place.json(&["idp", "show", "corp", "--json"]);
    assert_eq!(shown["settings"]["domains"], json!(["example.com", "example.org"]));
    assert_eq!(shown["source"], "admin");
    assert_eq!(place.json(&["idp", "check", "corp", "--json"]), shown);
    assert_eq!(place.json(&["idp", "list", "--json"]), json!([shown]));
    for arguments in [&["idp", "list"][..], &["idp", "show", "corp"], &["idp", "check", "corp"]] {
        let text = place.done(arguments);
        assert!(text.contains("https://corp.example/metadata"), "{arguments:?}: {text}");
    }
    let text = place.done(&["idp", "show", "corp"]);
    for setting in ["single_logout = false", "encrypt_name_id = true", "fallback = local"] {
        assert!(text.contains(&format!("setting        {setting}\n")), "{setting}: {text}");
    }
    assert!(text.contains("on: aes256-gcm and rsa-oaep-mgf1p, key "), "{text}");
    // Again with the same id: new metadata. Of another entity only if that is meant.
    place.write("corp.xml", &metadata_of("https://new.example"));
    let said = place.fails(1, &["idp", "add", "corp", "--metadata", "corp.xml"]);
    assert!(said.contains("https://new.example/metadata") && said.contains("entity_id"), "{said}");
    let kept = place.json(&["idp", "show", "corp", "--json"]);
    assert_eq!(kept["entity_id"], "https://corp.example/metadata");
    let entity_id = ["--entity-id", "https://new.example/metadata"];
    place.done(&[&["idp", "add", "corp", "--metadata", "corp.xml"][..], &entity_id].concat());
    let shown = place.json(&["idp", "show", "corp", "--json"]);
    assert_eq!(shown["entity_id"], "https://new.example/metadata");
}

/// A federation's file: thousands of entities, of which one is wanted.
#[test]
fn one_entity_is_taken_out_of_a_file_of_any_length() {
    let place = Place::new("");
    let entity = |n: usize| metadata_of(&format!("https://idp{n}.example"));
    let (one, other) = (entity(1), entity(2));
    let many =
        |n: usize| other.replace("https://idp2.example", &format!("https://many{n}.example"));
    let mut file =
        String::from("<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">\n");
    file.extend((0..1000).map(many));
    file.push_str(&one);
    file.extend((1000..2000).map(many));
    file.push_str("\n</md:EntitiesDescriptor>\n");
    assert!(file.len() > 3 * 1024 * 1024, "{}", file.len());
    place.write("federation.xml", &file);
    let entity_id = ["--entity-id", "https://idp1.example/metadata"];

    let check = [&["idp", "check", "federation.xml", "--json"][..], &entity_id].concat();
    assert_eq!(place.json(&check)["sign_in"].as_array().map(Vec::len), Some(2));
    let said = place.fails(1, &["idp", "check", "federation.xml"]);
    assert!(
        said.contains("2001 identity providers") && said.contains("https://many0.example"),
        "{said}"
    );
    let add = [&["idp", "add", "corp", "--metadata", "federation.xml"][..], &entity_id].concat();
    place.done(&add);
    let shown = place.json(&["idp", "show", "corp", "--json"]);
    assert_eq!(shown["entity_id"], "https://idp1.example/metadata");

    // Its signature would be over the whole file.
    let key = sloop::keys::SigningKey::generate(sloop::keys::KeyAlgorithm::Es256, 0).unwrap();
    let der = key.private_key().public_key_to_pem().unwrap();
    place.write("federation.pem", &String::from_utf8(der).unwrap());
    let pinned = [&check[..], &["--metadata-key", "federation.pem"]].concat();
    let said = place.fails(1, &pinned);
    assert!(said.contains("signature can be checked up to"), "{said}");
    place.write("cut.xml", &file[..file.len() - 40]);
    let cut = [&["idp", "check", "cut.xml"][..], &entity_id].concat();
    assert!(place.fails(1, &cut).contains("cut.xml: line "));
}

#[test]
fn a_refresh_tells_of_each_idp_what_came_of_it() {
    let place = Place::new("");
    place.write("corp.xml", &metadata_of("https://corp.example"));
    place.done(&["idp", "add", "corp", "--metadata", "corp.xml"]);
    assert_eq!(place.json(&["idp", "refresh", "--json"]), json!([]));
    let said = place.run(&["idp", "refresh", "corp"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.out.contains("was not connected by a URL"), "{}", said.out);
    let said = place.fails(1, &["idp", "add", "new", "--metadata", "http://127.0.0.1:9/metadata"]);
    assert!(said.contains("127.0.0.1"), "{said}");
}

#[test]
fn a_check_says_what_logout_will_do_and_what_to_mend() {
    let place = Place::new("");
    let options = Options { slo: Slo::None, ..Options::default() };
    let clock = sloop::clock::Clock::system();
    let rng = sloop::rng::Rng::system();
    let idp = MockIdp::new("https://bare.example", options, clock, rng).unwrap();
    place.write("bare.xml", &idp.metadata());
    let text = place.done(&["idp", "check", "bare.xml"]);
    assert!(text.contains("single logout  none"), "{text}");
    assert!(text.contains("login URL https://bare.example/sso"), "{text}");
    assert!(text.contains("advice"), "{text}");
}

#[test]
fn what_is_wrong_with_an_idp_is_named() {
    let place = Place::new("");
    place.write("broken.xml", "<a>\n<b>\n</a>");
    place.write("corp.xml", &metadata_of("https://corp.example"));
    place.done(&["idp", "add", "corp", "--metadata", "corp.xml"]);
    for (arguments, says) in [
        (&["idp", "add", "x", "--metadata", "broken.xml"][..], "line 3"),
        (&["idp", "check", "broken.xml"], "broken.xml: "),
        (&["idp", "add", "x", "--metadata", "none.xml"], "none.xml"),
        (&["idp", "add", "x", "--metadata", "corp.xml"], "https://corp.example/metadata"),
        (&["idp", "show", "x"], "x is not known"),
        (&["idp", "check", "x"], "x is not known"),
        (&["idp", "check", "no such/file.xml"], "no such/file.xml"),
        (
            &["idp", "add", "x", "--metadata", "corp.xml", "--entity-id", "https://no.example"],
            "https://no.example",
        ),
    ] {
        let said = place.fails(1, arguments);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    assert_eq!(place.json(&["idp", "list", "--json"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_client_is_added_listed_and_shown_and_its_secret_only_once() {
    let place = Place::new("");
    let said = place.run(&[
        "client",
        "add",
        "wiki",
        "--redirect-uri",
        "https://wiki.example/callback",
        "--post-logout-redirect-uri",
        "https://wiki.example/bye",
        "--frontchannel-logout-uri",
        "https://wiki.example/out?a=b",
        "--backchannel-logout-session-required",
        "--scope",
        "all_apps",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let secret = said.out.lines().find_map(|line| line.strip_prefix("client_secret ")).unwrap();
    assert!(secret.len() >= 32 && said.err.contains("not shown again"), "{}", said.err);

    let shown = place.json(&["client", "show", "wiki", "--json"]);
    assert_eq!(shown["redirect_uris"], json!(["https://wiki.example/callback"]));
    assert_eq!(shown["scope"], "all_apps");
    assert_eq!(shown["frontchannel_logout_uri"], "https://wiki.example/out?a=b");
    assert_eq!(shown["backchannel_logout_session_required"], true);
    let list = place.json(&["client", "list", "--json"]);
    assert_eq!(list, json!([shown]));
    let read = place.done(&["client", "show", "wiki"]);
    assert!(
        read.contains("client                   wiki\nname                     none\nkind                     confidential\n"),
        "{read}"
    );
    assert!(read.contains("scope of a logout        all_apps\n"), "{read}");
    assert!(read.contains("sid in logout tokens     always\n"), "{read}");
    assert!(read.contains("told at logout by        https://wiki.example/out?a=b\n"), "{read}");
    for text in [shown.to_string(), read, place.done(&["client", "list"])] {
        assert!(text.contains("wiki") && !text.contains(secret), "{text}");
    }

    let twice = place.fails(1, &["client", "add", "wiki", "--redirect-uri", "https://a.example/"]);
    assert!(twice.contains("wiki") && twice.contains("already"), "{twice}");
    let wrong = place.fails(1, &["client", "add", "blog", "--redirect-uri", "http://a.example/"]);
    assert!(wrong.contains("redirect_uris") && wrong.contains("http://a.example/"), "{wrong}");
    assert!(place.fails(1, &["client", "show", "blog"]).contains("blog is not known"));
    assert_eq!(place.json(&["client", "list", "--json"]), json!([shown]));
}

#[test]
fn a_secret_is_imported_from_stdin_if_it_is_long_enough() {
    let place = Place::new("");
    let add = |id: &'static str| {
        ["client", "add", id, "--redirect-uri", "https://a.example/", "--secret-stdin"]
    };
    let short = place.run_with_stdin(&add("wiki"), "too-short\n");
    assert_eq!(short.code, Some(1));
    assert!(
        short.err.contains("32 characters") && !short.err.contains("too-short"),
        "{}",
        short.err
    );
    let said = place.run_with_stdin(&add("wiki"), &format!("{}\n", "s".repeat(32)));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!said.out.contains("ssss"), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_work_beside_a_running_service_and_it_sees_what_they_did() {
    let place = Place::new("");
    let serving = place.serve().await;
    let token = place.done(&["admin", "token", "--name", "script"]);
    let bearer = format!("Bearer {}", token.trim_end());
    let api = async |path: &str| -> Value {
        let answer = serving.get(path, &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    assert_eq!(api("/api/v1/clients").await["items"], json!([]));

    place.write("corp.xml", &metadata_of("https://corp.example"));
    place.done(&["idp", "add", "corp", "--metadata", "corp.xml"]);
    place.done(&["client", "add", "wiki", "--redirect-uri", "https://wiki.example/callback"]);

    assert_eq!(api("/api/v1/clients/wiki").await["id"], "wiki");
    assert_eq!(api("/api/v1/identity-providers/corp").await["disabled"], false);
    // Not only the lists: requests use them at once.
    let authorize = "/connect/authorize?response_type=code&client_id=wiki&scope=openid&state=s\
                     &redirect_uri=https://wiki.example/callback\
                     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
                     &code_challenge_method=S256";
    let sent = serving.get(authorize, &[]).await;
    let location = sent.header("location").unwrap_or_else(|| panic!("{}", sent.body));
    assert!(location.starts_with("https://corp.example/sso?SAMLRequest="), "{location}");
    assert_eq!(serving.get("/api/v1/clients", &[]).await.status, 401);
}
