//! The story through real HTTP: it holds, and it notices when something does not.

use super::stage::Stage;
use super::*;
use crate::mock_idp::{Options, Sign, Slo};

/// The verdict, and the mark of each step.
async fn told(options: Options) -> (bool, Vec<char>) {
    let stage = Stage::set_up(options).await.unwrap();
    let mut out = Vec::new();
    let held = story::tell(&stage, &mut out).await.unwrap();
    stage.clear().await;
    let text = String::from_utf8(out).unwrap();
    println!("{text}");
    (held, text.lines().filter_map(|line| line.chars().next()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_holds_by_either_binding() {
    let by_redirect = Options::default();
    let by_post = Options { slo: Slo::Post, sign: Sign::Assertion, ..Options::default() };
    for options in [by_redirect, by_post] {
        assert_eq!(told(options).await, (true, vec!['✓'; 11]), "{options:?}");
    }
}

/// An IdP without single logout keeps its session: the story must not claim otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idp_that_cannot_log_out_is_noticed() {
    let (held, marks) = told(Options { slo: Slo::None, ..Options::default() }).await;
    assert!(!held);
    assert_eq!(marks[..4], ['✓', '✓', '✗', '✓'], "the sign-ins and the apps are fine");
    assert_eq!(marks[5], '✗', "the outcome is not complete");
}
