//! Stories with programs that others wrote: pysaml2 as the IdP; `xmlsec1`, OpenSSL, signxml and libxml2 as judges.

mod encryption;
mod lemonldap;
mod libxml2;
mod logout;
mod mod_auth_openidc;
mod schema;
mod sign_in;
mod signxml;
mod simplesamlphp;
mod variants;
mod xmlsec1;

use sloop::saml::Binding;

use crate::support::browser::{Browser, Page};
use crate::support::pysaml2::{Entry, Pysaml2};
use crate::support::world::{On, Setting, World};

/// A world whose `corp` is pysaml2, on plain HTTP.
async fn with_pysaml2(on: On, arguments: &[&str]) -> (World, Pysaml2) {
    let (world, idp) = tokio::join!(World::on(on), Pysaml2::start(arguments));
    world.connect(&idp).await;
    (world, idp)
}

/// The same as two sites with TLS, so that every form of the IdP is a cross-site post.
async fn over_tls(on: On, arguments: &[&str]) -> (World, Pysaml2) {
    let arguments = [arguments, &["--base-url", "https://pysaml2.test"]].concat();
    let (world, idp) = tokio::join!(Setting::on(on).https().begin(), Pysaml2::start(&arguments));
    world.connect(&idp).await;
    (world, idp)
}

fn browser(world: &World, idp: &Pysaml2) -> Browser {
    world.browser().with_host(idp.base_url(), idp.address())
}

/// Whether the window shows pysaml2's login page, and nothing else of it.
fn asks_who_is_there(page: &Page, idp: &Pysaml2) -> bool {
    page.status == 200
        && page.url.as_str().starts_with(idp.base_url())
        && page.forms().iter().any(|form| form.action == format!("{}/login", idp.base_url()))
}

/// The only entry of a list.
fn only(entries: Vec<&Entry>) -> &Entry {
    match entries.as_slice() {
        [one] => one,
        other => panic!("not exactly one: {other:#?}"),
    }
}

fn word(binding: Binding) -> &'static str {
    match binding {
        Binding::Redirect => "redirect",
        Binding::Post => "post",
        Binding::Soap => "soap",
    }
}

/// Our metadata, as if our messages were signed with a stranger's key. Its own signature no longer holds; no product
/// here looks at that.
fn with_another_key(metadata: &str) -> String {
    let strangers = include_str!("../../../fixtures/keys/sp-rsa.crt");
    let strangers: String = strangers.lines().filter(|line| !line.starts_with('-')).collect();
    let (start, rest) = metadata.split_once("<md:KeyDescriptor use=\"signing\">").unwrap();
    let (before, rest) = rest.split_once("<ds:X509Certificate>").unwrap();
    let (_, after) = rest.split_once('<').unwrap();
    let signing = "<md:KeyDescriptor use=\"signing\">";
    format!("{start}{signing}{before}<ds:X509Certificate>{strangers}<{after}")
}
