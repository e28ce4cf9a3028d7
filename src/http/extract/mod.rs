//! From the bytes of a request to values that handlers take.

mod body;
mod cookies;
pub mod language;
mod params;

pub use body::{BodyError, TimedBody};
pub use cookies::{CookiePolicy, Cookies, SameSite, SetCookie};
pub use params::{RawParams, RawParamsError};
