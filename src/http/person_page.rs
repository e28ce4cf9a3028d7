//! `/logout`, opened by a person: what stands in the form that comes back.

use std::str::FromStr;

use super::extract::language;
use crate::logout::{PartyId, Ticks};
use crate::oidc::Params;
use crate::secret::Token;
use crate::use_cases::{Failure, PersonForm};

/// Reads our own form. `None`: this is something else.
pub(super) fn form(params: &Params) -> Option<Result<PersonForm, Failure>> {
    params.iter().any(|(name, _)| name == "csrf").then(|| parse(params))
}

fn parse(params: &Params) -> Result<PersonForm, Failure> {
    let field = |name| match params.single(name) {
        Ok(value) => Ok(value.unwrap_or_default()),
        Err(repeated) => Err(unusable(&repeated)),
    };
    let app = |id| parsed(id).map(|client| PartyId::App { client });
    let idp = |id| parsed(id).map(|idp| PartyId::Idp { idp });
    let mut ticks = Ticks::default();
    for id in field("shown_apps")?.split_ascii_whitespace() {
        ticks.shown.push(app(id)?);
    }
    for id in field("shown_idps")?.split_ascii_whitespace() {
        ticks.shown.push(idp(id)?);
    }
    for (name, id) in params.iter() {
        match name {
            "app" => ticks.ticked.push(app(id)?),
            "idp" => ticks.ticked.push(idp(id)?),
            _ => {}
        }
    }
    let handle = Token::received(field("handle")?);
    let language = language::of_params(params);
    let (csrf, page_seed) = (field("csrf")?.to_owned(), field("page_seed")?.to_owned());
    Ok(PersonForm { csrf, page_seed, handle, ticks, language })
}

fn parsed<Id: FromStr>(text: &str) -> Result<Id, Failure>
where
    Id::Err: std::fmt::Display,
{
    text.parse().map_err(|error| unusable(&error))
}

fn unusable(why: &dyn std::fmt::Display) -> Failure {
    Failure::Browser { code: "form", detail: why.to_string() }
}
