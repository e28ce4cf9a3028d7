//! `metadata/samples/`: what we make of metadata as real products write it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sloop::paths::API_IDENTITY_PROVIDERS;

use crate::both;
use crate::support::world::{On, World};

/// What is to be understood of a sample.
struct Sample {
    file: &'static str,
    product: Option<&'static str>,
    /// Bindings in the order of the document.
    sign_in: &'static [&'static str],
    single_logout: &'static [&'static str],
    /// Signing keys, and keys for encryption alone.
    keys: (usize, usize),
    /// `none`, or `unchecked` where it is signed.
    signature: &'static str,
    unused: usize,
    /// How a logout goes where the assertion had a NameID and a SessionIndex.
    logout: &'static str,
    recommended: &'static [(&'static str, &'static str)],
    /// Words that an administrator must be told.
    told: &'static [&'static str],
}

const SAMPLES: [Sample; 12] = [
    Sample {
        file: "adfs",
        product: Some("AD FS"),
        sign_in: &["Redirect", "POST"],
        single_logout: &["Redirect", "POST"],
        keys: (2, 1),
        signature: "unchecked",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to https://fs.example.org/adfs/ls/.",
        recommended: &[],
        told: &["exactly the NameID", "SHA-256"],
    },
    Sample {
        file: "auth0",
        product: Some("Auth0"),
        sign_in: &["Redirect", "POST"],
        single_logout: &["Redirect", "POST"],
        keys: (1, 0),
        signature: "none",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to https://example.eu.auth0.com/samlp/",
        recommended: &[],
        told: &["by POST", "tells one app only"],
    },
    Sample {
        file: "entra",
        product: Some("Microsoft Entra ID"),
        sign_in: &["Redirect", "POST"],
        single_logout: &["Redirect"],
        keys: (1, 0),
        signature: "unchecked",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to https://login.microsoftonline.com/",
        recommended: &[
            ("logout_request_match", "session_index"),
            (
                "logout_response_issuer",
                "https://login.microsoftonline.com/00000000-0000-4000-8000-000000000000/",
            ),
            ("unsigned_logout_response", "accept"),
            ("withhold_logout_response", "true"),
        ],
        told: &[
            "does not sign its LogoutResponse",
            "asks which one to sign out",
            "may name another NameID",
            "refuse a LogoutResponse",
            "an Issuer that is not its entity ID",
        ],
    },
    Sample {
        file: "google",
        product: Some("Google Workspace"),
        sign_in: &["Redirect", "POST"],
        single_logout: &[],
        keys: (1, 0),
        signature: "none",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to the login URL https://accounts.google.com/",
        recommended: &[("fallback", "local")],
        told: &["no single logout"],
    },
    Sample {
        file: "keycloak",
        product: Some("Keycloak"),
        sign_in: &["POST", "Redirect", "SOAP"],
        single_logout: &["POST", "Redirect", "SOAP"],
        keys: (1, 0),
        signature: "none",
        // Artifact for sign-in and logout, and the resolution service.
        unused: 3,
        logout: "LogoutRequest goes by Redirect to https://sso.example.org/realms/example/",
        recommended: &[("unsigned_logout_response", "accept")],
        told: &["Sign documents"],
    },
    Sample {
        file: "okta",
        product: Some("Okta"),
        sign_in: &["POST", "Redirect"],
        single_logout: &[],
        keys: (1, 0),
        signature: "none",
        unused: 0,
        logout: "to the login URL https://dev-000000.okta.com/app/",
        recommended: &[],
        told: &["only once single logout is switched on"],
    },
    Sample {
        file: "okta-with-single-logout",
        product: Some("Okta"),
        sign_in: &["POST", "Redirect"],
        single_logout: &["POST", "Redirect"],
        keys: (1, 0),
        signature: "none",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to https://dev-000000.okta.com/app/",
        recommended: &[],
        told: &["signing certificate has been uploaded", "comes by POST"],
    },
    Sample {
        file: "onelogin",
        product: Some("OneLogin"),
        sign_in: &["Redirect", "POST", "SOAP"],
        single_logout: &["Redirect"],
        keys: (1, 0),
        signature: "none",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to https://example.onelogin.com/trust/saml2/",
        recommended: &[],
        told: &["app connector"],
    },
    Sample {
        file: "pingfederate",
        product: Some("PingFederate"),
        sign_in: &["POST", "Redirect"],
        single_logout: &["POST", "Redirect"],
        keys: (1, 0),
        signature: "none",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to https://sso.example.org/idp/SLO.saml2.",
        recommended: &[("always_success", "true")],
        told: &["may not tell its other services"],
    },
    Sample {
        file: "pysaml2",
        // Nothing in it tells: the addresses are the installation's own.
        product: None,
        sign_in: &["Redirect", "POST"],
        single_logout: &["SOAP", "POST", "Redirect"],
        keys: (1, 1),
        signature: "none",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to https://idp.example.org/slo/redirect.",
        recommended: &[],
        told: &[],
    },
    Sample {
        file: "shibboleth",
        product: Some("Shibboleth"),
        sign_in: &["POST", "Redirect"],
        single_logout: &["Redirect", "POST", "SOAP"],
        keys: (2, 1),
        signature: "none",
        // Two for artifacts, SimpleSign twice, and SAML 1.
        unused: 5,
        logout: "LogoutRequest goes by Redirect to https://idp.example.org/idp/profile/SAML2/",
        recommended: &[],
        told: &["on a page of its own", "`asynchronous_logout = true` does not wait"],
    },
    Sample {
        file: "simplesamlphp",
        product: Some("SimpleSAMLphp"),
        sign_in: &["Redirect"],
        single_logout: &["Redirect"],
        keys: (1, 1),
        signature: "none",
        unused: 0,
        logout: "LogoutRequest goes by Redirect to https://idp.example.org/simplesaml/saml2/idp/",
        recommended: &[("unsigned_logout_response", "accept")],
        told: &["sign.logout", "count only if they are signed"],
    },
];

fn read(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/metadata/samples");
    std::fs::read_to_string(format!("{folder}/{file}.xml")).unwrap()
}

fn words<'v>(report: &'v Value, member: &str) -> Vec<&'v str> {
    report[member].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

both!(every_sample_is_understood_as_its_product, samples);
async fn samples(on: On) {
    let world = World::on(on).await;
    for sample in &SAMPLES {
        let file = sample.file;
        let added = world.add_idp(file, &read(file), "").await;
        if file == "okta-with-single-logout" {
            // The same IdP as `okta`, once it has been set up further.
            assert_eq!(added.json()["code"], "entity_id_taken");
            let again = world.add_idp("okta", &read(file), "").await;
            assert_eq!(again.status, 200, "{}", again.body);
            check(sample, &again.json());
            continue;
        }
        assert_eq!(added.status, 201, "{file}: {}", added.body);
        check(sample, &added.json());
        let path = format!("{API_IDENTITY_PROVIDERS}/{file}");
        let shown = world.api("GET", &path, "application/json", "").await;
        assert_eq!(shown.json(), added.json());
    }
}

fn check(sample: &Sample, report: &Value) {
    let file = sample.file;
    assert_eq!(report["product"], json!(sample.product), "{file}");
    let bindings = |member: &str| -> Vec<String> {
        let binding = |text: &str| text.split(' ').next().unwrap().to_owned();
        words(report, member).into_iter().map(binding).collect()
    };
    assert_eq!(bindings("sign_in"), sample.sign_in, "{file}");
    assert_eq!(bindings("single_logout"), sample.single_logout, "{file}");
    for key in words(report, "keys") {
        assert!(key.starts_with("RSA 2048 bits "), "{file}: {key}");
    }
    let keys = (words(report, "keys").len(), words(report, "encryption_keys").len());
    assert_eq!(keys, sample.keys, "{file}: {report}");
    assert_eq!(report["signature"], sample.signature, "{file}");
    assert_eq!(words(report, "unused_endpoints").len(), sample.unused, "{file}: {report}");
    let logout = report["logout"].as_str().unwrap();
    assert!(logout.contains(sample.logout), "{file}: {logout}");
    // With a NameID and a SessionIndex, with the NameID alone, with neither, and without a browser.
    let step = |place: usize| report["ladder"][place]["then"].as_str().unwrap();
    assert_eq!(report["ladder"].as_array().unwrap().len(), 4);
    assert!(step(2).starts_with("Only our side ends"), "{file}: {}", step(2));
    let without_browser = match sample.single_logout.contains(&"SOAP") {
        true => "A signed LogoutRequest goes by SOAP from here to https://",
        false => "this IdP can only be asked through a browser.",
    };
    assert!(step(3).contains(without_browser), "{file}: {}", step(3));
    let recommended: BTreeMap<&str, &str> = sample.recommended.iter().copied().collect();
    assert_eq!(report["recommended"], json!(recommended), "{file}");
    let advice = words(report, "advice").join(" ");
    for words in sample.told {
        assert!(advice.contains(words), "{file}: {words}: {advice}");
    }
    let expected = if sample.single_logout.is_empty() { 1 } else { 0 };
    assert_eq!(words(report, "warnings").len(), expected, "{file}: {report}");
}

// The signatures in the samples were made by xmlsec1, as by a signer that is not ours.
both!(a_signed_sample_is_verified_with_its_own_key, signed);
async fn signed(on: On) {
    let world = World::on(on).await;
    for file in ["adfs", "entra"] {
        let xml = read(file);
        let (_, rest) = xml.split_once("<ds:X509Certificate>").unwrap();
        let certificate: String = rest.split_once('<').unwrap().0.split_whitespace().collect();
        let key: String = url::form_urlencoded::byte_serialize(certificate.as_bytes()).collect();
        let pin = format!("&metadata_key={key}");
        let changed = xml.replace("/saml2\"", "/saml3\"").replace("/adfs/ls/\"", "/adfs/l/\"");
        let refused = world.add_idp(file, &changed, &pin).await;
        assert_eq!(refused.json()["code"], "metadata.signature", "{file}: {}", refused.body);
        let added = world.add_idp(file, &xml, &pin).await;
        assert_eq!(added.status, 201, "{file}: {}", added.body);
        assert_eq!(added.json()["signature"], "verified");
    }
}
