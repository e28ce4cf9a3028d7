//! `sloop keys`: what there is, what takes over, and what is not believed any more.

use serde_json::Value;

use super::Place;

fn of<'k>(keys: &'k Value, purpose: &str, stage: &Value) -> Vec<&'k str> {
    let keys = keys.as_array().unwrap().iter();
    let fitting = keys.filter(|key| key["purpose"] == purpose && key["stage"] == *stage);
    fitting.map(|key| key["id"].as_str().unwrap()).collect()
}

#[test]
fn keys_are_listed_rotated_and_revoked() {
    let place = Place::new("");
    let stage = |name: &str| Value::from(name);
    let first = place.json(&["keys", "list", "--json"]);
    let [old] = of(&first, "saml_signing", &stage("active"))[..] else { panic!("{first}") };
    assert_eq!(of(&first, "oidc", &stage("active")).len(), 3, "RS256, ES256, EdDSA");
    assert!(!first.to_string().contains("private") && !first.to_string().contains("sealed"));

    let said = place.done(&["keys", "rotate", "saml-signing"]);
    assert!(said.starts_with("KEY") && said.contains("saml_signing") && said.contains("next"));
    let announced = place.json(&["keys", "list", "--json"]);
    let [new] = of(&announced, "saml_signing", &stage("next"))[..] else { panic!("{announced}") };
    assert!(said.contains(new) && !said.contains(old), "{said}");
    assert_eq!(of(&announced, "saml_signing", &stage("active")), [old]);
    let twice = place.fails(1, &["keys", "rotate", "saml-signing"]);
    assert!(twice.contains(new) && twice.contains("--now"), "{twice}");

    place.done(&["keys", "rotate", "saml-signing", "--now"]);
    let begun = place.json(&["keys", "list", "--json"]);
    assert_eq!(of(&begun, "saml_signing", &stage("active")), [new]);
    assert_eq!(of(&begun, "saml_signing", &stage("previous")), [old]);

    place.done(&["keys", "revoke", new]);
    let revoked = place.json(&["keys", "list", "--json"]);
    assert_eq!(of(&revoked, "saml_signing", &Value::Null), [new]);
    let active = of(&revoked, "saml_signing", &stage("active"));
    assert!(active.len() == 1 && active != [new], "{revoked}");

    assert!(place.fails(1, &["keys", "revoke", new]).contains("not known"));
    assert!(place.fails(1, &["keys", "revoke", "nothing"]).contains("not known"));
    // The name of a key may begin with a dash, and is no option then.
    assert!(place.fails(1, &["keys", "revoke", "-nothing"]).contains("not known"));
    place.fails(2, &["keys", "rotate", "both"]);
}
