//! Two browsers of one person are two sessions.

use sloop::mock_idp::Entry;

use super::{home, signed_in};
use crate::both;
use crate::support::world::{On, World};

both!(two_browsers_of_one_person_stay_apart, apart);
async fn apart(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut office = signed_in(&world, &one, "ada").await;
    let mut phone = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut phone.browser, &two, "ada").await;
    assert_ne!(office.sid(), phone.sid());
    assert_eq!(office.tokens.claims["sub"], phone.tokens.claims["sub"]);
    assert_eq!(world.idp.sessions().len(), 2);
    let hint = office.hint().to_owned();

    let end = world.sign_out(&mut office.browser, &one, &hint).await;

    assert_eq!(end.url.as_str(), home(&one));
    assert!(!office.is_in(&world, &one).await);
    assert!(phone.is_in(&world, &one).await && phone.is_in(&world, &two).await);
    assert!(one.is_signed_in(phone.sid()).await && !one.is_signed_in(office.sid()).await);
    assert_eq!(one.userinfo(&phone.tokens.access_token).await.status, 200);
    // The IdP ended one of her sessions, and the app that was not in it heard nothing.
    let ended = world.idp.journal().pop();
    assert!(matches!(ended, Some(Entry::LogoutRequest { ended: 1, .. })), "{ended:?}");
    assert_eq!(world.idp.sessions().len(), 1);
    assert_eq!(two.received_logout_tokens().len(), 0);
    assert_eq!(world.newest_logout().await.legs.len(), 2);
}

both!(two_people_stay_apart, people);
async fn people(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    assert!(!ada.is_in(&world, &app).await && bob.is_in(&world, &app).await);
    let told = app.logouts().await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["sub"], ada.tokens.claims["sub"]);
    assert_ne!(told[0]["sub"], bob.tokens.claims["sub"]);
}
