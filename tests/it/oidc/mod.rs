mod id_token_hint;
mod max_age;
mod sign_in;
