//! `sloop demo --once`: the whole story by itself.

use super::Place;

#[test]
fn the_demo_holds_and_leaves_nothing_behind() {
    let place = Place::new("");
    let said = place.run(&["demo", "--once"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for party in ["LogoutRequest", "app-two", "confirmed"] {
        assert!(said.out.contains(party), "{party}: {}", said.out);
    }
    let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "only sloop.toml: {left:?}");
}
