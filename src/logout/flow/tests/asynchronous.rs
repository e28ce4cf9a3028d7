//! IdPs that nobody waits for.

use super::*;
use crate::logout::WhyLocal;

fn asynchronous() -> Rung {
    let (binding, location) = (BrowserBinding::Redirect, "https://idp.example/slo".into());
    Rung::AsynchronousLogout { binding, location }
}

#[test]
fn an_idp_that_is_not_waited_for_is_asked_once_and_may_still_prove_it() {
    let start = logout(vec![idp(asynchronous())]);
    let ask = here();
    let asked = start.clone().on([ask.clone()], at(1));
    assert_eq!(asked.next, Next::AskIdp(start.legs[0].id));
    assert_eq!(outcomes(&asked.logout), [Some(LegOutcome::Unconfirmed)]);
    assert_eq!(asked.logout.answered_at, Some(at(1)));
    // The commit may have succeeded unseen: the browser is sent all the same.
    let again = asked.logout.clone().on([ask], at(1));
    assert_eq!((again.next, again.changes.len()), (Next::AskIdp(start.legs[0].id), 0));
    // Whoever comes back is sent on.
    assert_eq!(asked.logout.clone().on([here_again()], at(2)).next, Next::Finish);

    let unproven = success(&asked.logout, 0, false);
    assert!(asked.logout.clone().on([unproven], at(3)).changes.is_empty());
    let proven = success(&asked.logout, 0, true);
    let done = asked.logout.on([proven], at(3)).logout;
    assert_eq!(outcomes(&done), [Some(LegOutcome::Confirmed)]);
}

#[test]
fn who_does_not_bring_the_browser_back_is_asked_last() {
    let local = Rung::Local { why: WhyLocal::Configured };
    let url = Rung::Url { location: "https://idp.example/bye".into() };
    let mut rungs = [local, url, asynchronous(), login_url(), slo()];
    rungs.sort_by_key(Rung::order);
    let names: Vec<_> = rungs
        .iter()
        .map(|rung| format!("{rung:?}").split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["SingleLogout", "LoginUrl", "AsynchronousLogout", "Url", "Local"]);
}
