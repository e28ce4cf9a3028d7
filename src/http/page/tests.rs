use super::*;
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, LegId, LogoutId};
use crate::logout::{
    Ends, LegOutcome, LegState, LogoutDocument, Party, PartyId, Reason, Rung, WhyLocal,
};
use crate::oidc::{LogoutScope, Subject};
use crate::rng::Rng;
use crate::secret::Token;
use crate::use_cases::{EndParty, LeftParty, ListedParty};

/// What has broken out of pages of this kind: of attributes, of elements, of scripts and of URLs.
const PAYLOADS: [&str; 32] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "\"/><svg/onload=alert(1)>",
    "<svg><script>alert&lpar;1&rpar;</script>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<!--<img src=\"--><img src=x onerror=alert(1)>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=\"0;url=//evil.example\">",
    "0; url=https://evil.example",
    "<form action=//evil.example><button>Sign in</button>",
    "<a href=javascript:alert(1)>x</a>",
    "\" formaction=\"//evil.example",
    "\" form=\"f\" name=\"answer\" value=\"yes",
    "<iframe srcdoc=\"<script>alert(1)</script>\">",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<math><mtext></table><mglyph><style><img src=x onerror=alert(1)>",
    "{{ layout.style }}{% include \"error.html\" %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;&quot;",
    "\u{0}<\u{0}script>\u{202e}\u{feff}",
    "`><script>alert(1)</script>",
    "\r\n\r\n<script>alert(1)</script>",
];

fn layout(language: Language) -> Layout {
    Layout { style: "/assets/style.css".to_owned(), language, text: Text::in_language(language) }
}

/// Every page with this text wherever text of somebody else stands.
fn pages(layout: &Layout, text: &str) -> Vec<String> {
    let fields = [("SAMLRequest", text.to_owned()), ("RelayState", text.to_owned())];
    let link = || Link { name: text.to_owned(), url: text.to_owned() };
    let confirm = |app, everywhere| LogoutConfirm {
        layout,
        action: text,
        app,
        everywhere,
        parties: vec![text.to_owned()],
        csrf: text,
        target_refused: true,
    };
    let waiting = LogoutWaiting { layout, idp: text, leg: text, action: Some(text) };
    let over = crate::use_cases::LogoutEnd { lives_on: false, ..end(text) };
    let end = end(text);
    let heading = layout.text.frames.heading;
    let frames = vec![link()];
    let frames = LogoutFrames { layout, heading, frames, onward: text, seconds: 5, nonce: "nonce" };
    let about = ("handle", text);
    let said = &layout.text.relogin.signed_in;
    let relogin = Relogin { layout, said, action: text, about, idp: text, csrf: text };
    let listed = ListedParty {
        id: PartyId::App { client: "wiki".parse().unwrap() },
        name: text.to_owned(),
        can_be_told: true,
    };
    let secrets = FormSecrets {
        page_seed: text.to_owned(),
        handle: Token::received("handle"),
        csrf: text.to_owned(),
    };
    let person_page = PersonPage::of(vec![listed], secrets, None, text, layout);
    [
        ErrorPage { layout, said: layout.text.error.idp, reference: text }.render(),
        ChooseIdp { layout, choices: vec![link(), link()] }.render(),
        PostFormPage { layout, action: text, fields: &fields, nonce: "nonce" }.render(),
        Onward { layout, url: text }.render(),
        confirm(Some(text), true).render(),
        confirm(Some(text), false).render(),
        waiting.render(),
        LogoutEnd::of(&end, Some(text), text, layout).render(),
        LogoutEnd::of(&over, Some(text), text, layout).render(),
        person_page.render(),
        frames.render(),
        relogin.render(),
    ]
    .into_iter()
    .collect::<Result<_, _>>()
    .unwrap()
}

fn end(text: &str) -> crate::use_cases::LogoutEnd {
    let (now, rng) = (Timestamp::from_seconds(1), Rng::system());
    let outcome = LegOutcome::Refused;
    let idp = Party::Idp {
        idp: "corp".parse().unwrap(),
        rung: Rung::Local { why: WhyLocal::Configured },
    };
    // One value for all pages, so that they can be compared.
    let id = "00000000-0000-7000-8000-000000000000".parse::<LegId>().unwrap();
    let state = LegState::Closed { outcome, detail: text.to_owned(), at: now };
    let leg = crate::logout::Leg::new(id, 0, idp, state);
    let party = EndParty { leg: leg.id, name: Some(text.to_owned()), can_try_again: true };
    let document = LogoutDocument {
        reason: Reason::RpInitiated,
        scope: LogoutScope::AllAppsAndIdp,
        browser_session: BrowserSessionId::new(now, &rng),
        sid: text.to_owned(),
        subject: Subject::stored(text.to_owned()),
        initiator: None,
        target: Some(text.to_owned()),
        result_wanted: false,
        language: None,
        page_seed: text.to_owned(),
        without_cookie: false,
        owed_answer: None,
        ends: Ends::Apps,
        left: Vec::new(),
        somebody_lost: false,
    };
    let logout = crate::logout::Logout {
        id: "00000000-0000-7000-8000-000000000001".parse::<LogoutId>().unwrap(),
        version: 1,
        document,
        created_at: now,
        deadline: now,
        answered_at: None,
        settled_at: None,
        legs: vec![leg],
    };
    let continue_to = Some(text.to_owned());
    let parties = vec![party];
    let left = vec![LeftParty {
        id: PartyId::App { client: "wiki".parse().unwrap() },
        name: text.to_owned(),
    }];
    crate::use_cases::LogoutEnd {
        logout,
        parties,
        left,
        handle: None,
        continue_to,
        lives_on: true,
        locked: true,
    }
}

/// The five characters with a meaning in HTML, by number.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '<' | '>' | '&' | '"' | '\'' => format!("&#{};", u32::from(c)),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

#[test]
fn what_others_say_is_text_on_every_page() {
    const PLAIN: &str = "plaintext";
    for language in Language::ALL {
        let layout = layout(language);
        let plain = pages(&layout, PLAIN);
        assert!(plain.iter().all(|page| page.contains(PLAIN)), "each page shows something");
        for payload in PAYLOADS {
            let expected = plain.iter().map(|page| page.replace(PLAIN, &escaped(payload)));
            for (page, expected) in pages(&layout, payload).into_iter().zip(expected) {
                assert_eq!(page, expected, "{payload:?}");
            }
        }
    }
}

#[test]
fn every_page_has_a_language_a_title_and_one_heading() {
    let mut seen: Vec<Vec<String>> = Vec::new();
    for language in Language::ALL {
        let layout = layout(language);
        let mut pages = pages(&layout, "x");
        for said in [layout.text.kept, layout.text.nobody, layout.text.unknown_answer] {
            pages.push(Notice { layout: &layout, said }.render().unwrap());
        }
        for page in &pages {
            assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())), "{page}");
            assert_eq!(page.matches("<h1>").count(), 1, "{page}");
            let (_, rest) = page.split_once("<title>").unwrap();
            assert!(!rest.split("</title>").next().unwrap().trim().is_empty(), "{page}");
        }
        seen.push(pages);
    }
    // No page was forgotten in another language's words.
    for (at, one) in seen.iter().enumerate() {
        for other in &seen[at + 1..] {
            for (one, other) in one.iter().zip(other) {
                let heading = |page: &str| {
                    page.split_once("<h1>").unwrap().1.split("</h1>").next().unwrap().to_owned()
                };
                assert_ne!(heading(one), heading(other));
            }
        }
    }
}
