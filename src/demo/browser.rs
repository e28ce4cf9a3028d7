//! A browser that follows a script: it keeps cookies, follows redirects and submits the forms that
//! would submit themselves.

use std::collections::BTreeMap;

use http::header::{COOKIE, LOCATION, SET_COOKIE};
use url::Url;

use super::html;
use super::http::{Answer, Http, HttpError};

/// Hops of one navigation; real browsers allow about twenty redirects.
const MAX_HOPS: usize = 20;

/// All its cookies belong to `localhost`, and cookies know no ports (RFC 6265 8.5): every party of
/// the demo gets those of all others, as with a real browser. Everything there is one site, so
/// SameSite never matters.
#[derive(Debug)]
pub(super) struct Browser {
    http: Http,
    cookies: BTreeMap<String, String>,
}

/// Where the browser came to rest.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) body: String,
    /// Every address on the way, this one last.
    pub(super) hops: Vec<Url>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum BrowserError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("a link leads to {0:?}, which is no address")]
    Address(String),
    #[error("the page at {page} has no form for {action}")]
    NoForm { page: String, action: String },
    #[error("more than {MAX_HOPS} redirects and forms in a row")]
    TooManyHops,
}

/// What is asked for next.
struct Request {
    url: Url,
    form: Option<Vec<(String, String)>>,
}

impl Browser {
    pub(super) fn new(http: Http) -> Self {
        Self { http, cookies: BTreeMap::new() }
    }

    /// Goes to an address, and on until a page waits for somebody.
    pub(super) async fn open(&mut self, url: &str) -> Result<Page, BrowserError> {
        let url = Url::parse(url).map_err(|_| BrowserError::Address(url.to_owned()))?;
        self.travel(Request { url, form: None }).await
    }

    /// Submits the form of a page whose address ends with `action`, with some fields filled in.
    pub(super) async fn submit(
        &mut self,
        page: &Page,
        action: &str,
        filled_in: &[(&str, &str)],
    ) -> Result<Page, BrowserError> {
        let found = html::forms(&page.body).into_iter().find(|form| form.action.ends_with(action));
        let form = found.ok_or_else(|| BrowserError::NoForm {
            page: without_query(&page.url),
            action: action.to_owned(),
        })?;
        let request = submission(&page.url, form, filled_in)?;
        self.travel(request).await
    }

    async fn travel(&mut self, first: Request) -> Result<Page, BrowserError> {
        let mut hops = Vec::new();
        let mut request = first;
        while hops.len() < MAX_HOPS {
            let answer = self.send(&request).await?;
            hops.push(request.url.clone());
            request = match onward(&request.url, &answer)? {
                Some(next) => next,
                None => {
                    let Answer { status, body, .. } = answer;
                    return Ok(Page { url: request.url, status, body, hops });
                }
            };
        }
        Err(BrowserError::TooManyHops)
    }

    async fn send(&mut self, request: &Request) -> Result<Answer, BrowserError> {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let headers: &[_] = &[(COOKIE, cookies.as_str())];
        let headers = if cookies.is_empty() { &[] } else { headers };
        let answer = match &request.form {
            Some(fields) => self.http.post_form(&request.url, headers, fields).await?,
            None => self.http.get(&request.url, headers).await?,
        };
        for line in answer.headers.get_all(SET_COOKIE) {
            self.keep(line.to_str().unwrap_or_default());
        }
        Ok(answer)
    }

    /// `Max-Age` of zero or less removes a cookie (RFC 6265 5.2.2).
    fn keep(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let removed = parts.filter_map(|attribute| attribute.split_once('=')).any(|(name, age)| {
            name.eq_ignore_ascii_case("Max-Age") && age.parse::<i64>().is_ok_and(|age| age <= 0)
        });
        match removed {
            true => self.cookies.remove(name),
            false => self.cookies.insert(name.to_owned(), value.to_owned()),
        };
    }
}

impl Page {
    /// A parameter of the address.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.url, name)
    }

    /// The address without its query.
    pub(super) fn address(&self) -> String {
        without_query(&self.url)
    }
}

pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(held, _)| held == name).map(|(_, value)| value.into_owned())
}

/// Where an answer sends the browser without anybody doing anything. Every redirect is followed by
/// GET, which is right for 302 and 303; nobody here uses the others.
fn onward(from: &Url, answer: &Answer) -> Result<Option<Request>, BrowserError> {
    let location = answer.headers.get(LOCATION).filter(|_| (300..400).contains(&answer.status));
    if let Some(location) = location {
        let location = location.to_str().unwrap_or_default();
        return Ok(Some(Request { url: join(from, location)?, form: None }));
    }
    if let Some(target) = html::refresh(&answer.body) {
        return Ok(Some(Request { url: join(from, &target)?, form: None }));
    }
    let first_form = html::forms(&answer.body).into_iter().next();
    match first_form.filter(|_| html::submits_itself(&answer.body)) {
        Some(form) => submission(from, form, &[]).map(Some),
        None => Ok(None),
    }
}

fn submission(
    from: &Url,
    form: html::Form,
    filled_in: &[(&str, &str)],
) -> Result<Request, BrowserError> {
    let mut url = join(from, &form.action)?;
    let filled = |name: &str| filled_in.iter().any(|(other, _)| *other == name);
    let mut fields: Vec<_> = form.fields.into_iter().filter(|(name, _)| !filled(name)).collect();
    fields.extend(filled_in.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    if form.post {
        return Ok(Request { url, form: Some(fields) });
    }
    url.query_pairs_mut().clear().extend_pairs(fields);
    Ok(Request { url, form: None })
}

fn join(from: &Url, to: &str) -> Result<Url, BrowserError> {
    from.join(to).map_err(|_| BrowserError::Address(to.to_owned()))
}

fn without_query(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(http::HeaderName, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        Answer { status, headers: headers.collect(), body: body.to_owned() }
    }

    /// The next address, and the fields that are posted to it.
    fn next(answer: &Answer) -> Option<(String, Vec<(String, String)>)> {
        let from = Url::parse("http://localhost:1/a/b?c").unwrap();
        let request = onward(&from, answer).unwrap()?;
        Some((request.url.into(), request.form.unwrap_or_default()))
    }

    #[test]
    fn redirects_refreshes_and_forms_lead_on_and_other_pages_do_not() {
        let redirect = answer(303, &[(LOCATION, "/x")], "");
        assert_eq!(next(&redirect), Some(("http://localhost:1/x".into(), vec![])));
        let refresh = r#"<meta http-equiv="refresh" content="0; url=http://localhost:2/">"#;
        assert_eq!(next(&answer(200, &[], refresh)), Some(("http://localhost:2/".into(), vec![])));
        let form = r#"<form method="post" action="/x"><input name="a" value="1"></form>"#;
        let script = "<script>document.forms[0].submit()</script>";
        let fields = vec![("a".to_owned(), "1".to_owned())];
        let posted = next(&answer(200, &[], &format!("{form}{script}")));
        assert_eq!(posted, Some(("http://localhost:1/x".into(), fields)));
        assert_eq!(next(&answer(200, &[], form)), None);
        assert_eq!(next(&answer(200, &[(LOCATION, "/x")], "")), None);
    }

    #[test]
    fn cookies_are_kept_replaced_and_removed() {
        let mut browser = Browser::new(Http::new().unwrap());
        browser.keep("a=1; Path=/; HttpOnly");
        browser.keep("b=2; Max-Age=60");
        browser.keep("a=3");
        assert_eq!(browser.cookies.get("a").map(String::as_str), Some("3"));
        browser.keep("b=; Max-Age=0; Path=/");
        browser.keep("nonsense");
        assert_eq!(browser.cookies.len(), 1);
    }

    #[test]
    fn what_is_filled_in_replaces_what_the_form_holds() {
        let form = html::Form {
            action: "/login".into(),
            post: false,
            fields: vec![("request".into(), "r".into()), ("user".into(), String::new())],
        };
        let from = Url::parse("http://localhost:1/sso").unwrap();
        let request = submission(&from, form, &[("user", "ada")]).unwrap();
        assert_eq!(request.url.as_str(), "http://localhost:1/login?request=r&user=ada");
    }
}
