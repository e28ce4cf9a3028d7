//! Settings from environment variables.

use super::Config;
use super::error::{ConfigError, Place};
use super::keys::{KEYS, Set};

/// A variable of this process, for [`Config::load`] and `telemetry::init`.
pub fn process_variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    std::env::var(name).ok()
}

/// Reads every key's variable. One that is set wins, even when it is empty: an empty text stands
/// for "not set" where a key may be unset, and an empty list for a list.
pub(super) fn read(
    config: &mut Config,
    env: &impl Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    for key in KEYS {
        let variable = key.variable();
        let Some(text) = env(&variable) else { continue };
        let result = match key.set {
            Set::One(set) => set(config, text.trim()),
            Set::Flag(set) => match text.trim().parse() {
                Ok(flag) => {
                    set(config, flag);
                    Ok(())
                }
                Err(_) => Err("write true or false".to_owned()),
            },
            Set::List(set) => {
                let elements = text.split(',').map(str::trim).filter(|text| !text.is_empty());
                set(config, &elements.collect::<Vec<_>>())
            }
        };
        result.map_err(|mend| ConfigError::BadValue {
            place: Place::Environment(variable),
            key: key.path.to_owned(),
            value: if key.secret { "(not shown)".to_owned() } else { format!("{text:?}") },
            mend,
        })?;
    }
    Ok(())
}
