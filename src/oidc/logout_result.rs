//! `logout_result`: a parameter of ours at the final redirect, for clients that ask for it.

use super::uri_query::append_query;

const PARAMETER: &str = "logout_result";

/// The checked URL with the result beside `state`. A fragment stays at its end.
pub fn with_logout_result(url: &str, result: &str) -> String {
    let (before, fragment) = match url.find('#') {
        Some(at) => url.split_at(at),
        None => (url, ""),
    };
    append_query(before, &[(PARAMETER, result)]) + fragment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_one_more_parameter_of_the_query() {
        for (url, expected) in [
            ("https://a/", "https://a/?logout_result=partial"),
            ("https://a/?state=x%2B", "https://a/?state=x%2B&logout_result=partial"),
            ("https://a/?", "https://a/?logout_result=partial"),
            ("https://a/#/bye", "https://a/?logout_result=partial#/bye"),
            ("https://a/?b=c#d?e#f", "https://a/?b=c&logout_result=partial#d?e#f"),
        ] {
            assert_eq!(with_logout_result(url, "partial"), expected);
        }
    }
}
