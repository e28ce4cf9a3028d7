//! `SessionNotOnOrAfter`: no longer than the IdP allows.

use std::time::Duration;

use super::{ask, forged};
use crate::both;
use crate::support::world::{On, World};

both!(the_session_ends_when_the_idp_says_so, ends);
async fn ends(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let (mut short, mut long) = (world.browser(), world.browser());
    let (attempt, asked) = ask(&forger, &mut short, &app).await;
    let mut said = forger.says(&asked, "ada");
    said.session_not_on_or_after = Some(world.clock.now().plus(Duration::from_secs(200)));
    let page = forger.send(&world, &mut short, &asked, &said).await;
    let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    let (_, asked) = ask(&forger, &mut long, &app).await;
    forger.send(&world, &mut long, &asked, &forger.says(&asked, "ada")).await;

    world.clock.advance(Duration::from_secs(150));
    assert!(world.is_signed_in(&mut short, &app).await);
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 200);

    world.clock.advance(Duration::from_secs(60));
    assert!(!world.is_signed_in(&mut short, &app).await);
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 401, "younger than its own life");
    assert!(world.is_signed_in(&mut long, &app).await);
    // An end that nobody asked for is no logout: no LogoutRequest, nobody is told.
    assert_eq!(world.logout_count().await, 0);
}

both!(a_code_does_not_outlive_it, code);
async fn code(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let mut said = forger.says(&asked, "ada");
    said.session_not_on_or_after = Some(world.clock.now().plus(Duration::from_secs(20)));
    let location = forger.send(&world, &mut browser, &asked, &said).await.location().unwrap();

    world.clock.advance(Duration::from_secs(30));

    assert!(app.finish(&attempt, &location).await.is_err());
}
