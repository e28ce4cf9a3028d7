//! Somebody lies in wait between the IdP and the assertion consumer, and changes what the IdP has
//! just signed. Every attack keeps everybody out and uses nothing up.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::mock_idp::Encryption;
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::Received;
use sloop::xml::{Limits, ns, parse};

use super::{ask, forged};
use crate::support::attack::{Attack, Target, VICTIM};
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
    /// What anybody can encrypt to, in DER.
    certificate: Vec<u8>,
}

/// A sign-in that stands where the IdP's answer comes in.
pub struct Waiting {
    pub browser: Browser,
    pub attempt: Attempt,
    pub asked: Asked,
    /// How much the service had recorded, when it was last looked at.
    recorded: usize,
}

/// Which parts of a Response are signed, and whether the Assertion is encrypted then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    Assertion,
    Response,
    Both,
    Encrypted,
}

impl Base {
    pub const ALL: [Self; 4] = [Self::Assertion, Self::Response, Self::Both, Self::Encrypted];

    pub fn sign(self) -> Sign {
        match self {
            Self::Assertion | Self::Encrypted => Sign::Assertion,
            Self::Response => Sign::Response,
            Self::Both => Sign::Both,
        }
    }

    /// The signed elements that an attack can be aimed at.
    fn signed(self) -> &'static [&'static str] {
        match self {
            Self::Assertion | Self::Encrypted => &["Assertion"],
            Self::Response => &["Response"],
            Self::Both => &["Response", "Assertion"],
        }
    }
}

impl Ambush {
    pub async fn on(on: On) -> Self {
        let world = World::on(on).await;
        let (forger, app) = forged(&world).await;
        let metadata = Xml::new(world.get(paths::SAML_METADATA).await.body);
        let encryption = metadata.element_with("KeyDescriptor", "use", "encryption");
        let mut ambush = Self {
            world,
            forger,
            app,
            sink: Sink::listen().await,
            subject: String::new(),
            certificate: STANDARD.decode(encryption.inner("X509Certificate")).unwrap(),
        };
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
        let target = |signed: &&'static str| match (base, *signed) {
            (Base::Both, "Assertion") => self.target(message.without("Response/Signature"), signed),
            _ => self.target(message.clone(), signed),
        };
        base.signed().iter().map(target).collect()
    }

    fn target(&self, message: Xml, signed: &'static str) -> Target<'_> {
        Target { message, signed, key: self.forger.key(), sink: &self.sink }
    }

    /// Each of the attacks on each base signs nobody in, and the message that was signed does.
    /// What is encrypted is attacked before: whoever knows what is in it can encrypt it anew.
    pub async fn withstands(&self, attacks: impl Fn(&Target<'_>) -> Vec<Attack>) {
        for base in Base::ALL {
            let mut waiting = self.wait().await;
            let message = self.signed(&waiting, base);
            let targets = self.targets(base, &message);
            let mut all: Vec<Attack> = targets.iter().flat_map(&attacks).collect();
            let mut message = message.into_bytes();
            if base == Base::Encrypted {
                message = self.sealed(&message);
                for attack in &mut all {
                    attack.message = self.sealed(&attack.message);
                }
            }
            assert!(!all.is_empty() || base == Base::Response, "{base:?} was not attacked");
            self.refuses_all(&mut waiting, base, &all).await;
            self.signs_in_the_honest(&mut waiting, message).await;
        }
        assert_eq!(self.sink.connections(), 0, "something was fetched");
    }

    /// As above, for attacks on the document as it travels, and on what comes out when it is
    /// decrypted.
    pub async fn withstands_as_documents(&self, attacks: impl Fn(&Target<'_>) -> Vec<Attack>) {
        for base in Base::ALL {
            let mut waiting = self.wait().await;
            let signed = self.signed(&waiting, base);
            let (mut message, mut all) = (signed.clone(), Vec::new());
            if base == Base::Encrypted {
                message = String::from_utf8(self.sealed(signed.as_bytes())).unwrap();
                let content = Xml::new(signed).outer("Assertion");
                let content = content.with_attribute("Assertion", "xmlns:saml", ns::SAML);
                for attack in attacks(&self.target(content, "Assertion")) {
                    let holder = self.encrypted(&attack.message);
                    let message = Xml::new(&*message).replaced("EncryptedAssertion", holder);
                    let what = format!("{}, encrypted", attack.what);
                    // What does not become one good element is not told from what was changed.
                    all.push(Attack::new(what, message, "enc.failed"));
                }
            }
            all.extend(attacks(&self.target(Xml::new(&*message), "Response")));
            self.refuses_all(&mut waiting, base, &all).await;
            self.signs_in_the_honest(&mut waiting, message).await;
        }
        assert_eq!(self.sink.connections(), 0, "something was fetched");
    }

    async fn refuses_all(&self, waiting: &mut Waiting, base: Base, attacks: &[Attack]) {
        for attack in attacks {
            self.refuses(waiting, base, attack).await;
        }
        assert!(!self.is_signed_in(waiting).await);
    }

    /// The message as it is sent.
    pub fn as_sent(&self, base: Base, message: &str) -> Vec<u8> {
        match base {
            Base::Encrypted => self.sealed(message.as_bytes()),
            _ => message.as_bytes().to_vec(),
        }
    }

    /// Every Assertion of the Response encrypted, as anybody can do it.
    fn sealed(&self, message: &[u8]) -> Vec<u8> {
        let mut message = Xml::new(std::str::from_utf8(message).unwrap());
        while message.has("Response/Assertion") {
            let content = message.outer("Response/Assertion");
            let content = match content.find_attribute("Assertion", "xmlns:saml") {
                Some(_) => content,
                None => content.with_attribute("Assertion", "xmlns:saml", ns::SAML),
            };
            let holder = self.encrypted(content.as_str().as_bytes());
            message = message.replaced("Response/Assertion", holder);
        }
        message.into_string().into_bytes()
    }

    pub fn encrypted(&self, content: &[u8]) -> String {
        let (how, rng) = (Encryption::COMMON, Rng::system());
        how.element(content, "EncryptedAssertion", &self.certificate, &rng).unwrap()
    }

    /// The attack signs nobody in, and is recorded once if it can be read at all.
    pub async fn refuses(&self, waiting: &mut Waiting, base: Base, attack: &Attack) {
        let what = format!("{base:?}: {}", attack.what);
        let what = what.as_str();
        let means = |code: &str| {
            code == attack.code || base == Base::Encrypted && replaces(code, attack.code)
        };
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
            (Some(code), []) => assert!(means(code), "{what}: {code}, not {}", attack.code),
            (None, [only]) => {
                assert_eq!((&*only.kind, &*only.idp), ("sign_in.refused", "forged"), "{what}");
                let code = only.detail.split(": ").next().unwrap_or_default();
                assert!(means(code), "{what}: {}, not {}", only.detail, attack.code);
            }
            (code, recorded) => panic!("{what}: {code:?}, and recorded is {recorded:?}"),
        }
    }

    /// What the IdP really answers still signs in who it is for.
    pub async fn says_the_truth(&self, waiting: &mut Waiting, base: Base) {
        assert!(!self.is_signed_in(waiting).await);
        let message = self.signed(waiting, base);
        self.signs_in_the_honest(waiting, self.as_sent(base, &message)).await;
    }

    pub async fn signs_in_the_honest(&self, waiting: &mut Waiting, message: impl AsRef<[u8]>) {
        let tokens = self.signs_in(waiting, message).await;
        self.is_the_honest(&tokens).await;
        assert!(self.is_signed_in(waiting).await);
    }

    pub async fn is_the_honest(&self, tokens: &Tokens) {
        assert_eq!(tokens.claims["sub"], self.subject.as_str(), "somebody else was signed in");
        let told = self.app.userinfo(&tokens.access_token).await.json();
        assert_eq!(told["email"], "ada@example.org", "{told}");
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
    // A reference is random, and may hold any three letters.
    let reference = page.header("x-request-id").expect("every answer has one");
    let said = page.body.replace(reference, "");
    assert!(!said.contains(VICTIM) && !said.contains("<script"), "{what}: {said}");
}

/// What is encrypted does not show its ID, its content or its namespace. The next rule refuses it
/// then: there are two, or one within the other, or it does not open to one good element.
fn replaces(code: &str, expected: &str) -> bool {
    match expected {
        "id.duplicate" => code == "response.misplaced_assertion",
        "response.misplaced_assertion" => code == "response.several_assertions",
        _ => expected.starts_with("xml.") && code == "enc.failed",
    }
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
