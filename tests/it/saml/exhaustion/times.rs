//! Times that are none, wherever a time is read.

use super::Scene;
use crate::both;
use crate::support::world::On;

const TIMES: [&str; 22] = [
    "9999999999-01-01T00:00:00Z",
    "99999-12-31T23:59:59Z",
    "+12026-01-01T00:00:00Z",
    "-2026-01-01T00:00:00Z",
    "-9999-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T25:00:00Z",
    "2026-01-01T00:61:00Z",
    "2026-01-01T00:00:99Z",
    "2026-01-01T00:00:00+99:99",
    "2026-01-01",
    "00:00:00Z",
    "1767225600",
    "0x7fffffffffffffff",
    "9223372036854775807",
    "now",
    "",
    " ",
    "2026-01-01T00:00:00Z2026-01-01T00:00:00Z",
    "２０２６-01-01T00:00:00Z",
];

both!(times_that_are_none_sign_nobody_in, times);
async fn times(on: On) {
    let mut scene = Scene::begin(on).await;
    let (said, xml) = scene.says();
    let fraction = format!("2026-01-01T00:00:00.{}Z", "9".repeat(10_000));
    let zeros = format!("{}2026-01-01T00:00:00Z", "0".repeat(10_000));
    let spaces = format!("2026-01-01T00:00:00{}Z", " ".repeat(10_000));
    for time in TIMES.iter().copied().chain([fraction.as_str(), &zeros, &spaces]) {
        for name in ["NotBefore", "NotOnOrAfter", "AuthnInstant", "SessionNotOnOrAfter"] {
            let changed = match name {
                "SessionNotOnOrAfter" => xml.replacen(
                    "AuthnInstant=",
                    &format!("SessionNotOnOrAfter=\"{time}\" AuthnInstant="),
                    1,
                ),
                _ => with_time(&xml, name, time),
            };
            let signed = scene.by_idp.envelope(&changed, &said.response_id);
            let page = scene.post(&signed).await;
            let what = format!("{name} {time:.40}");
            assert_eq!((page.status, page.location()), (400, None), "{what}: {}", page.summary());
        }
        assert!(!scene.world.is_signed_in(&mut scene.browser, &scene.app).await, "{time:.40}");
        let metadata = scene.forger.metadata().replacen(
            "<md:EntityDescriptor ",
            &format!("<md:EntityDescriptor validUntil=\"{time}\" "),
            1,
        );
        let refused = scene.world.add_idp("forged", &metadata, "").await;
        assert_eq!(refused.status, 400, "{time:.40}: {}", refused.body);
    }
    let good = scene.good();
    scene.signs_in(&good, "the good one").await;
}

/// With another value in every attribute of this name.
fn with_time(xml: &str, name: &str, time: &str) -> String {
    let start = format!(" {name}=\"");
    let mut parts = xml.split(&start);
    let mut changed = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('"').unwrap();
        changed.push_str(&format!("{start}{time}\"{rest}"));
    }
    assert_ne!(changed, xml, "{name}");
    changed
}
