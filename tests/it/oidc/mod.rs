mod max_age;
mod sign_in;
