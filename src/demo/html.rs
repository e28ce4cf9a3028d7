//! What a browser without scripts reads in a page: forms and refreshes. It understands the pages of
//! this program, which quote and escape every attribute; it is no HTML parser.

/// A form as it stands in a page, with the fields that it sends if nobody fills in anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) post: bool,
    pub(super) fields: Vec<(String, String)>,
}

pub(super) fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut within = false;
    for tag in tags(html) {
        match tag.name.as_str() {
            "form" => {
                within = true;
                forms.push(Form {
                    action: tag.attribute("action").unwrap_or_default(),
                    post: tag.attribute("method").is_some_and(|m| m.eq_ignore_ascii_case("post")),
                    fields: Vec::new(),
                });
            }
            "/form" => within = false,
            // No page of this program ticks a box, and one that nobody ticked sends nothing.
            "input" if within && !tag.is_box() => {
                if let (Some(form), Some(name)) = (forms.last_mut(), tag.attribute("name")) {
                    form.fields.push((name, tag.attribute("value").unwrap_or_default()));
                }
            }
            _ => {}
        }
    }
    forms
}

/// Where `<meta http-equiv="refresh">` leads.
pub(super) fn refresh(html: &str) -> Option<String> {
    let meta = tags(html).into_iter().find(|tag| {
        let kind = tag.attribute("http-equiv");
        tag.name == "meta" && kind.is_some_and(|kind| kind.eq_ignore_ascii_case("refresh"))
    })?;
    let content = meta.attribute("content")?;
    let (_, target) = content.split_once(';')?;
    target.trim_start().strip_prefix("url=").map(str::to_owned)
}

/// Whether a script submits the first form as soon as the page is there.
pub(super) fn submits_itself(html: &str) -> bool {
    html.contains("document.forms[0].submit()")
}

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn is_box(&self) -> bool {
        self.attribute("type").is_some_and(|kind| kind.eq_ignore_ascii_case("checkbox"))
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(held, _)| held == name).map(|(_, value)| value.clone())
    }
}

fn tags(html: &str) -> Vec<Tag> {
    let pieces = html.split('<').skip(1);
    pieces.filter_map(|piece| piece.split_once('>')).map(|(inside, _)| tag(inside)).collect()
}

fn tag(inside: &str) -> Tag {
    let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    while let Some((key, after)) = rest.split_once('=') {
        // Attributes without a value stand before it: `required autofocus name="user"`.
        let key = key.split_ascii_whitespace().last().unwrap_or_default();
        let Some((value, after)) =
            after.strip_prefix('"').and_then(|quoted| quoted.split_once('"'))
        else {
            break;
        };
        attributes.push((key.to_ascii_lowercase(), unescape(value)));
        rest = after;
    }
    Tag { name: name.to_ascii_lowercase(), attributes }
}

/// Resolves numeric references and the five names that escaping produces.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let reference = after.split_once(';').and_then(|(name, tail)| Some((named(name)?, tail)));
        (plain, rest) = match reference {
            Some((character, tail)) => (plain + character.encode_utf8(&mut [0; 4]), tail),
            None => (plain + "&", after),
        };
    }
    plain + rest
}

fn named(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_with_their_fields_unescaped() {
        let page = r#"<input name="outside" value="no"><form method="post" action="/a?b=1&#38;c=2">
            <input type="hidden" name="x" value="&#34;&#60;&amp;&quot;&#x27;"><input required name="user">
            <input type="checkbox" name="box" value="on">
            <button name="go" value="yes">Go</button></form><form action="/b"></form>"#;
        let first = Form {
            action: "/a?b=1&c=2".into(),
            post: true,
            fields: vec![("x".into(), "\"<&\"'".into()), ("user".into(), String::new())],
        };
        let second = Form { action: "/b".into(), post: false, fields: vec![] };
        assert_eq!(forms(page), [first, second]);
    }

    #[test]
    fn a_refresh_is_found_among_other_meta_elements() {
        let page = r#"<meta charset="utf-8"><meta http-equiv="refresh" content="0; url=http://localhost:1/?a=1&#38;b=2">"#;
        assert_eq!(refresh(page).as_deref(), Some("http://localhost:1/?a=1&b=2"));
        assert_eq!(refresh(r#"<meta name="viewport" content="0; url=/x">"#), None);
        assert_eq!(refresh(r#"<meta http-equiv="refresh" content="5">"#), None);
    }

    #[test]
    fn only_known_references_are_resolved() {
        assert_eq!(unescape("a&b;&#xZZ;&#1114112;&#233;&"), "a&b;&#xZZ;&#1114112;é&");
    }
}
