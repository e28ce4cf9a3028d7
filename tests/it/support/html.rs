//! As much of HTML as a test needs to press a button: forms, links, frames, `meta refresh`.

use std::iter;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Form {
    pub id: Option<String>,
    /// As written; empty means the page itself.
    pub action: String,
    /// `GET` or `POST`.
    pub method: String,
    /// What a submit sends without any button: unchecked boxes and nameless inputs are left out.
    pub fields: Vec<(String, String)>,
    /// Name and value of each named submit button.
    pub buttons: Vec<(String, String)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refresh {
    pub seconds: u32,
    pub url: String,
}

pub fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut is_open = false;
    for tag in tags(html) {
        match (tag.name.as_str(), forms.last_mut()) {
            ("form", _) => {
                is_open = true;
                let method = tag.get("method").unwrap_or("get").to_ascii_uppercase();
                forms.push(Form {
                    id: tag.get("id").map(str::to_owned),
                    action: tag.get("action").unwrap_or_default().to_owned(),
                    method,
                    fields: Vec::new(),
                    buttons: Vec::new(),
                });
            }
            ("/form", _) => is_open = false,
            ("input" | "button", Some(form)) if is_open => form.add(&tag),
            _ => {}
        }
    }
    forms
}

pub fn meta_refresh(html: &str) -> Option<Refresh> {
    let is_refresh = |tag: &Tag| {
        let kind = tag.get("http-equiv").unwrap_or_default();
        tag.name == "meta" && kind.eq_ignore_ascii_case("refresh")
    };
    let tag = tags(html).find(is_refresh)?;
    let (seconds, rest) = tag.get("content")?.split_once([';', ','])?;
    let rest = rest.trim();
    let is_named = rest.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("url="));
    let url = if is_named { &rest[4..] } else { rest };
    Some(Refresh {
        seconds: seconds.trim().parse().ok()?,
        url: url.trim_matches(['\'', '"']).to_owned(),
    })
}

/// The targets of all links.
pub fn links(html: &str) -> Vec<String> {
    attribute_of(html, "a", "href")
}

/// The addresses of all frames.
pub fn frames(html: &str) -> Vec<String> {
    attribute_of(html, "iframe", "src")
}

/// Elements of pages whose script is a file of its own, and submits the form as soon as they are shown:
/// SimpleSAMLphp's `post.js`, LemonLDAP::NG's `redirect.js`.
const SUBMITTED_BY_FILE: [&str; 2] = ["postLoginSubmitButton", "redirectcontent"];

/// Whether the page submits its form by script as soon as it is shown.
pub fn submits_itself(html: &str) -> bool {
    let lower = html.to_ascii_lowercase();
    let in_script = lower.split("<script").skip(1).any(|script| {
        script.split("</script").next().is_some_and(|script| script.contains(".submit()"))
    });
    let by_itself = |tag: Tag| {
        tag.get("onload").is_some_and(|code| code.contains(".submit()"))
            || tag.get("id").is_some_and(|id| SUBMITTED_BY_FILE.contains(&id))
    };
    in_script || tags(html).any(by_itself)
}

/// The visible text, roughly: tags, scripts and styles gone, white space joined.
pub fn text(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        text.push(' ');
        rest = after_tag(&rest[start..]).1;
    }
    text.push_str(rest);
    unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Character references: the named ones that escaping writes, and every numeric one.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(';').filter(|end| *end <= 10);
        match end.and_then(|end| Some((end, reference(&rest[1..end])?))) {
            Some((end, character)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

impl Form {
    /// Sets a field, as typing into it does.
    pub fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(key, _)| key != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// Takes the tick out of one of several boxes of that name.
    pub fn untick(&mut self, name: &str, value: &str) {
        let is_box = |(key, held): &(String, String)| key == name && held == value;
        assert!(self.fields.iter().any(is_box), "no ticked {name} {value} in {:?}", self.fields);
        self.fields.retain(|field| !is_box(field));
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn add(&mut self, tag: &Tag) {
        let is_button = tag.name == "button";
        let kind = tag.get("type").unwrap_or(if is_button { "submit" } else { "text" });
        let Some(name) = tag.get("name").filter(|name| !name.is_empty()) else { return };
        let ticks = matches!(kind, "checkbox" | "radio");
        let value = tag.get("value").unwrap_or(if ticks { "on" } else { "" });
        let pair = (name.to_owned(), value.to_owned());
        match kind {
            "submit" => self.buttons.push(pair),
            "button" | "reset" | "image" => {}
            _ if ticks && tag.get("checked").is_none() => {}
            _ => self.fields.push(pair),
        }
    }
}

fn attribute_of(html: &str, element: &str, attribute: &str) -> Vec<String> {
    let wanted = tags(html).filter(|tag| tag.name == element);
    wanted.filter_map(|tag| tag.get(attribute).map(str::to_owned)).collect()
}

struct Tag {
    /// In lower case; an end tag's begins with `/`.
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// All tags in order. Comments, scripts and styles are passed over whole.
fn tags(html: &str) -> impl Iterator<Item = Tag> {
    let mut rest = html;
    iter::from_fn(move || {
        rest = &rest[rest.find('<')?..];
        let (tag, after) = after_tag(rest);
        rest = after;
        Some(tag)
    })
}

/// The tag at the start of `html`, and what follows it.
fn after_tag(html: &str) -> (Tag, &str) {
    if html.starts_with("<!--") {
        let comment = Tag { name: "!--".to_owned(), attributes: Vec::new() };
        return (comment, html.find("-->").map_or("", |end| &html[end + 3..]));
    }
    let mut rest = html.get(1..).unwrap_or_default();
    let end = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len());
    let name = rest[..end].trim_end_matches('/').to_ascii_lowercase();
    let name = if rest.starts_with('/') { rest[..end].to_ascii_lowercase() } else { name };
    rest = &rest[end..];
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            break;
        }
        let stop = |c: char| c.is_whitespace() || matches!(c, '=' | '>');
        let end = rest.find(stop).unwrap_or(rest.len()).max(1);
        let key = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = attribute_value(after.trim_start());
        }
        attributes.push((key, unescape(value)));
    }
    rest = rest.strip_prefix('>').unwrap_or(rest);
    if name == "script" || name == "style" {
        rest = rest.find(&format!("</{name}")).map_or("", |end| &rest[end..]);
    }
    (Tag { name, attributes }, rest)
}

fn attribute_value(rest: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = rest.strip_prefix(quote) {
            return inner.split_once(quote).unwrap_or((inner, ""));
        }
    }
    let end = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len());
    rest.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_form_as_a_browser_would_send_it() {
        let page = r#"<form id="x" method="post" action="https://a.test/?a=1&amp;b=2">
            <input type=hidden name="RelayState" value="a&quot;&#x27;&#38;&lt;">
            <input type="checkbox" name="off"><input type="checkbox" name="on" checked />
            <input value="nameless"><button name="go" value="yes">Go</button></form>
            <input name="outside">"#;
        let form = &forms(page)[0];
        assert_eq!(
            (form.method.as_str(), form.action.as_str()),
            ("POST", "https://a.test/?a=1&b=2")
        );
        assert_eq!(form.field("RelayState"), Some("a\"'&<"));
        assert_eq!(form.field("on"), Some("on"));
        assert_eq!((form.field("off"), form.field("outside")), (None, None));
        assert_eq!(form.buttons, [("go".to_owned(), "yes".to_owned())]);
    }

    #[test]
    fn reads_a_refresh_and_its_absence() {
        let page = r#"<meta http-equiv="Refresh" content="0; URL=https://a.test/?x=1&amp;y=2">"#;
        let refresh = Refresh { seconds: 0, url: "https://a.test/?x=1&y=2".to_owned() };
        assert_eq!(meta_refresh(page), Some(refresh));
        assert_eq!(meta_refresh(r#"<meta name="refresh" content="0; url=/">"#), None);
        assert_eq!(
            meta_refresh(r#"<!-- <meta http-equiv="refresh" content="0; url=/"> -->"#),
            None
        );
    }

    #[test]
    fn tells_a_page_that_submits_itself() {
        assert!(submits_itself(r#"<body onload="document.forms[0].submit()"><form></form>"#));
        assert!(submits_itself("<form></form><script>document.forms[0].submit()</script>"));
        assert!(!submits_itself("<form></form><p>.submit()</p>"));
    }

    #[test]
    fn finds_links_frames_and_text() {
        let page =
            "<a href='/x'>One</a> <iframe src=/f></iframe><script>var a = '<b>';</script>&amp;";
        assert_eq!((links(page), frames(page)), (vec!["/x".to_owned()], vec!["/f".to_owned()]));
        assert_eq!(text(page), "One &");
    }

    #[test]
    fn unescapes_once_and_leaves_the_rest() {
        assert_eq!(unescape("&amp;amp; & &unknown; &#0; &#65;"), "&amp; & &unknown; \0 A");
    }
}
