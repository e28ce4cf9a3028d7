//! Documents that nobody has signed and that cost as much as the limits of a message allow.

use sloop::xml::Limits;

const MESSAGE: Limits = Limits::MESSAGE;

/// Each with a name and a document that is well-formed, or is refused at its very end.
pub(crate) fn documents() -> Vec<(&'static str, String)> {
    let prefixes = || 0..MESSAGE.namespaces - 1;
    let uri = |n: usize| format!("urn:{n:0>width$}", width = MESSAGE.namespace_bytes - 4);
    let declared: String = prefixes().map(|n| format!(" xmlns:p{n:02}='{}'", uri(n))).collect();
    let prefixed: String = prefixes().map(|n| format!(" p{n:02}:a=''")).collect();
    vec![
        ("many prefixed attributes", filled(&declared, &format!("<b{prefixed}/>"))),
        ("many declarations", filled("", &format!("<b{declared}/>"))),
        ("many elements", filled("", "<b/>")),
        ("many IDs", filled("", "<b ID='_0000'/>")),
        ("many references", filled("", "&#65;")),
        ("many short CDATA sections", filled("", "<![CDATA[]]>")),
        ("many comments", filled("", "<!---->")),
        ("many lines", filled("", "\r")),
    ]
}

/// `<a{attributes}>` with as much of `content` in it as the limits allow.
fn filled(attributes: &str, content: &str) -> String {
    let (start, end) = (format!("<a{attributes}>"), "</a>");
    let times = (MESSAGE.bytes - start.len() - end.len()) / content.len();
    let times = if content.contains("<b") { times.min(MESSAGE.nodes - 1) } else { times };
    format!("{start}{}{end}", content.repeat(times))
}
