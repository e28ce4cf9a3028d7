//! In to two apps, and out of everything.

use sloop::mock_idp::{Options, Slo};
use sloop::paths;
use url::Url;

use super::{Sites, is_signed_in, sign_in};
use crate::both;
use crate::support::world::{On, Setting};

both!(with_a_question_by_a_get_of_the_app_and_a_post_of_the_idp, by_post);
async fn by_post(on: On) {
    out_of_everything(on, Slo::Post).await;
}

both!(with_a_question_and_redirects_only, by_redirect);
async fn by_redirect(on: On) {
    out_of_everything(on, Slo::Redirect).await;
}

async fn out_of_everything(on: On, slo: Slo) {
    let sites = Sites::begin(Setting::on(on).idp(Options { slo, ..Options::default() })).await;
    let (one, two) = (sites.app("one").await, sites.app("two").await);
    let chromium = sites.chromium().await;
    sign_in(&chromium, &sites, &one, "ada").await;
    sign_in(&chromium, &sites, &two, "ada").await;
    assert!(is_signed_in(&chromium, &one).await);

    // No hint: the person is asked.
    let mut url = Url::parse(&sites.world.url(paths::END_SESSION)).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", "one")
        .append_pair("post_logout_redirect_uri", &one.post_logout_redirect_uri())
        .append_pair("state", "a state");
    chromium.open(url.as_str()).await;
    assert_eq!(sites.world.logout_count().await, 0);
    chromium.press("Sign out").await;

    let end = chromium.arrives(&one.post_logout_redirect_uri()).await;
    assert_eq!(end.query(), Some("state=a%20state"));
    let outcomes = ["app one: confirmed", "app two: confirmed", "IdP corp: confirmed"];
    assert_eq!(sites.world.outcomes().await, outcomes);
    assert_eq!((one.logouts().await.unwrap().len(), two.logouts().await.unwrap().len()), (1, 1));
    assert_eq!(sites.world.idp.sessions(), []);
    assert!(!is_signed_in(&chromium, &one).await && !is_signed_in(&chromium, &two).await);
    assert_eq!(chromium.violations().await, Vec::<String>::new());
}

both!(an_app_without_a_page_to_return_to_leaves_the_person_on_ours, end_page);
async fn end_page(on: On) {
    let sites = Sites::on(on).await;
    let app = sites.app("one").await;
    let chromium = sites.chromium().await;
    let tokens = sign_in(&chromium, &sites, &app, "ada").await;

    let url = app.logout_url(&[("id_token_hint", &tokens.id_token)]).await;
    chromium.open(url.as_str()).await;

    let end = chromium.arrives(&sites.world.url(paths::LOGOUT_PAGE)).await;
    let text = chromium.text().await;
    assert!(text.contains("This session has ended everywhere"), "{text}");
    // No message of the IdP stays in the address bar, and loading the page again changes nothing.
    assert_eq!(end.query(), None);
    chromium.open(end.as_str()).await;
    assert_eq!(chromium.text().await, text);
    assert_eq!(sites.world.logout_count().await, 1);
    assert!(!is_signed_in(&chromium, &app).await);
    assert_eq!(chromium.violations().await, Vec::<String>::new());
}

both!(a_form_of_another_site_finds_the_session_all_the_same, cross_site);
async fn cross_site(on: On) {
    let sites = Sites::on(on).await;
    let app = sites.app("one").await;
    let chromium = sites.chromium().await;
    let tokens = sign_in(&chromium, &sites, &app, "ada").await;
    // The window is at the app, another site: its form carries no `Lax` cookie of ours.
    let script = format!(
        "const form = document.createElement('form');
         form.method = 'post';
         form.action = '{}';
         for (const [name, value] of [['id_token_hint', '{}'],
                                      ['post_logout_redirect_uri', '{}']]) {{
             const field = document.createElement('input');
             [field.name, field.value] = [name, value];
             form.append(field);
         }}
         document.body.append(form);
         form.submit();",
        sites.world.url(paths::END_SESSION),
        tokens.id_token,
        app.post_logout_redirect_uri()
    );
    chromium.run(&script).await;

    chromium.arrives(&app.post_logout_redirect_uri()).await;
    assert_eq!(sites.world.outcomes().await, ["app one: confirmed", "IdP corp: confirmed"]);
    assert!(!is_signed_in(&chromium, &app).await);
    assert_eq!(chromium.violations().await, Vec::<String>::new());
}
