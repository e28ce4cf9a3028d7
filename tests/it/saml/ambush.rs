//! Somebody lies in wait between the IdP and the assertion consumer, and changes what the IdP has
//! just signed. Every attack keeps everybody out and uses nothing up.

use sloop::saml::Received;
use sloop::xml::{Limits, parse};

use super::{ask, forged};
use crate::support::attack::{Attack, Target};
use crate::support::browser::{Browser, Page};
use crate::support::forger::{Asked, Forger, Said, Sign};
use crate::support::mutation::Xml;
use crate::support::rp::{Attempt, RelyingParty, Tokens};
use crate::support::sink::Sink;
use crate::support::world::{On, World};

/// Whom the IdP signs for.
pub const HONEST: &str = "ada";

pub struct Ambush {
    pub world: World,
    pub forger: Forger,
    pub app: RelyingParty,
    pub sink: Sink,
    /// The `sub` of [`HONEST`].
    subject: String,
}

/// A sign-in that stands where the IdP's answer comes in.
pub struct Waiting {
    pub browser: Browser,
    pub attempt: Attempt,
    pub asked: Asked,
    /// How much the service had recorded, when it was last looked at.
    recorded: usize,
}

/// Which parts of a Response are signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    Assertion,
    Response,
    Both,
}

impl Base {
    pub const ALL: [Self; 3] = [Self::Assertion, Self::Response, Self::Both];

    fn sign(self) -> Sign {
        match self {
            Self::Assertion => Sign::Assertion,
            Self::Response => Sign::Response,
            Self::Both => Sign::Both,
        }
    }

    /// The signed elements that an attack can be aimed at.
    fn signed(self) -> &'static [&'static str] {
        match self {
            Self::Assertion => &["Assertion"],
            Self::Response => &["Response"],
            Self::Both => &["Response", "Assertion"],
        }
    }
}

impl Ambush {
    pub async fn on(on: On) -> Self {
        let world = World::on(on).await;
        let (forger, app) = forged(&world).await;
        let mut ambush =
            Self { world, forger, app, sink: Sink::listen().await, subject: String::new() };
        let mut waiting = ambush.wait().await;
        let said = ambush.says(&waiting);
        let message = ambush.forger.signed(&said, Sign::Both);
        let tokens = ambush.signs_in(&mut waiting, &message).await;
        ambush.subject = tokens.claims["sub"].as_str().unwrap().to_owned();
        ambush
    }

    /// Begins at the app, in a new browser.
    pub async fn wait(&self) -> Waiting {
        let mut browser = self.world.browser();
        let (attempt, asked) = ask(&self.forger, &mut browser, &self.app).await;
        Waiting { browser, attempt, asked, recorded: 0 }
    }

    pub fn says(&self, waiting: &Waiting) -> Said {
        self.forger.says(&waiting.asked, HONEST)
    }

    /// The honest answer.
    pub fn signed(&self, waiting: &Waiting, base: Base) -> String {
        self.forger.signed(&self.says(waiting), base.sign())
    }

    /// The signed message with its signed elements, each as the aim of attacks. Whoever aims at the
    /// Assertion of a Response that is signed too takes the outer signature away first.
    pub fn targets(&self, base: Base, message: &str) -> Vec<Target<'_>> {
        let message = Xml::new(message);
        let target = |signed: &&'static str| {
            let message = match (base, *signed) {
                (Base::Both, "Assertion") => message.without("Response/Signature"),
                _ => message.clone(),
            };
            Target { message, signed, key: self.forger.key(), sink: &self.sink }
        };
        base.signed().iter().map(target).collect()
    }

    /// Each of the attacks on each base signs nobody in, and the message that was signed does.
    pub async fn withstands(&self, attacks: impl Fn(&Target<'_>) -> Vec<Attack>) {
        for base in Base::ALL {
            let mut waiting = self.wait().await;
            let message = self.signed(&waiting, base);
            let mut count = 0;
            for target in self.targets(base, &message) {
                for attack in attacks(&target) {
                    assert_ne!(attack.message, message.as_bytes(), "{}", attack.what);
                    self.refuses(&mut waiting, &attack).await;
                    count += 1;
                }
            }
            assert!(count > 0 || base == Base::Response, "{base:?} was not attacked");
            assert!(!self.is_signed_in(&mut waiting).await);
            self.signs_in_the_honest(&mut waiting, &message).await;
        }
        assert_eq!(self.sink.connections(), 0, "something was fetched");
    }

    /// The attack signs nobody in, and is recorded once if it can be read at all.
    pub async fn refuses(&self, waiting: &mut Waiting, attack: &Attack) {
        let what = &attack.what;
        if waiting.recorded == 0 {
            waiting.recorded = self.world.audit().await.len();
        }
        let page = self.post(waiting, &attack.message).await;
        is_refused(&page, what);
        assert!(waiting.browser.cookie(&self.world.issuer, "sid").is_none(), "{what}");
        let recorded = self.world.audit().await.split_off(waiting.recorded);
        waiting.recorded += recorded.len();
        match (unreadable(&attack.message), recorded.as_slice()) {
            // Nobody knows which sign-in it was for.
            (Some(code), []) => assert_eq!(code, attack.code, "{what}"),
            (None, [only]) => {
                assert_eq!((&*only.kind, &*only.idp), ("sign_in.refused", "forged"), "{what}");
                let code = only.detail.split_once(": ").map(|(code, _)| code);
                assert_eq!(code, Some(attack.code), "{what}: {}", only.detail);
            }
            (code, recorded) => panic!("{what}: {code:?}, and recorded is {recorded:?}"),
        }
    }

    pub async fn signs_in_the_honest(&self, waiting: &mut Waiting, message: impl AsRef<[u8]>) {
        let tokens = self.signs_in(waiting, message).await;
        assert_eq!(tokens.claims["sub"], self.subject.as_str(), "somebody else was signed in");
        assert!(self.is_signed_in(waiting).await);
    }

    pub async fn signs_in(&self, waiting: &mut Waiting, message: impl AsRef<[u8]>) -> Tokens {
        let page = self.post(waiting, message).await;
        let callback = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
        self.app.finish(&waiting.attempt, &callback).await.unwrap()
    }

    pub async fn post(&self, waiting: &mut Waiting, message: impl AsRef<[u8]>) -> Page {
        let relay_state = waiting.asked.relay_state.as_deref();
        self.forger.post(&self.world, &mut waiting.browser, message, relay_state).await
    }

    pub async fn is_signed_in(&self, waiting: &mut Waiting) -> bool {
        self.world.is_signed_in(&mut waiting.browser, &self.app).await
    }
}

/// Everybody is told the same, and nothing of why.
pub fn is_refused(page: &Page, what: &str) {
    assert_eq!(page.status, 400, "{what}: {}", page.summary());
    assert_eq!(page.header("location"), None, "{what}");
    assert_eq!(page.header("set-cookie"), None, "{what}");
    assert!(!page.body.contains("eve") && !page.body.contains("<script"), "{what}: {}", page.body);
}

/// The code for which a message is refused before it is known which sign-in it answers.
fn unreadable(message: &[u8]) -> Option<&'static str> {
    if !matches!(message.first(), Some(b'<' | b' ' | b'\t' | b'\r' | b'\n' | 0xEF)) {
        return Some("binding.not_xml");
    }
    match parse(message, &Limits::MESSAGE) {
        Err(error) => Some(error.code()),
        Ok(document) => Received::read(&document).err().map(|rejection| rejection.code()),
    }
}
