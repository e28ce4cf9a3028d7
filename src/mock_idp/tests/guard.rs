//! What another website can do with the addresses that are no part of SAML: nothing.

use axum::body::Body;
use http::header::HOST;
use http::{Request, StatusCode};

use super::{BASE, World};
use crate::clock::Clock;
use crate::mock_idp::{MockIdp, Options};
use crate::rng::Rng;

const CONTROL: [(&str, &str); 9] = [
    ("POST", "/faults"),
    ("DELETE", "/faults"),
    ("GET", "/journal"),
    ("DELETE", "/journal"),
    ("GET", "/sessions"),
    ("POST", "/sp-metadata"),
    ("POST", "/login"),
    ("POST", "/signout"),
    ("POST", "/logout"),
];

async fn status(
    world: &mut World,
    (method, path): (&str, &str),
    header: (&str, &str),
) -> StatusCode {
    let request = Request::builder().method(method).uri(path).header(header.0, header.1);
    world.send(request.body(Body::empty()).unwrap()).await.status
}

#[tokio::test]
async fn another_website_is_refused_and_has_changed_nothing() {
    let mut world = World::new(Options::default());
    world.sign_in("ada").await;
    world.post("/faults", &[("fault", "partial")]).await;
    let before = (world.idp.plans(), world.idp.sessions(), world.idp.journal().len());
    for header in [
        ("sec-fetch-site", "cross-site"),
        (HOST.as_str(), "rebound.example:8081"),
        (HOST.as_str(), "localhost.rebound.example"),
        (HOST.as_str(), "10.0.0.1"),
        (HOST.as_str(), ""),
    ] {
        for control in CONTROL {
            let answer = status(&mut world, control, header).await;
            assert_eq!(answer, StatusCode::FORBIDDEN, "{control:?} {header:?}");
        }
        let after = (world.idp.plans(), world.idp.sessions(), world.idp.journal().len());
        assert_eq!(after, before, "{header:?}");
    }
    // Other websites do send browsers here with SAML, and everybody may read the metadata.
    for (saml, reached) in [
        (("GET", "/metadata"), StatusCode::OK),
        (("GET", "/"), StatusCode::OK),
        (("GET", "/sso"), StatusCode::BAD_REQUEST),
        (("POST", "/slo"), StatusCode::BAD_REQUEST),
    ] {
        let answer = status(&mut world, saml, ("sec-fetch-site", "cross-site")).await;
        assert_eq!(answer, reached, "{saml:?}");
    }
}

#[tokio::test]
async fn scripts_and_its_own_pages_are_served() {
    let mut world = World::new(Options::default());
    for header in [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        (HOST.as_str(), "localhost"),
        (HOST.as_str(), "[::1]:9"),
        (HOST.as_str(), "127.0.0.1:8081"),
    ] {
        let answer = status(&mut world, ("GET", "/sessions"), header).await;
        assert_eq!(answer, StatusCode::OK, "{header:?}");
    }
    // By the name in its base URL, and by no other.
    let base = BASE.replace("127.0.0.1", "idp.example");
    world.idp = MockIdp::new(&base, Options::default(), Clock::system(), Rng::system()).unwrap();
    for (host, served) in
        [("IDP.example:8081", StatusCode::OK), ("sp.example", StatusCode::FORBIDDEN)]
    {
        let answer = status(&mut world, ("GET", "/sessions"), (HOST.as_str(), host)).await;
        assert_eq!(answer, served, "{host}");
    }
}
