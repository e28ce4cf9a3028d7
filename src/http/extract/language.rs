//! Which language a request wants its page in.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::language::Language;
use crate::oidc::Params;

/// By `Accept-Language`; English if it names none that we have.
pub fn of_header(headers: &HeaderMap) -> Language {
    let lines = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    Language::of_header(&lines.collect::<Vec<_>>().join(",")).unwrap_or_default()
}

/// By `ui_locales`. Who sends that twice has said nothing here: some endpoints refuse it.
pub fn of_params(params: &Params) -> Option<Language> {
    params.single("ui_locales").ok().flatten().and_then(Language::of_locales)
}
