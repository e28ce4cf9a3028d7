mod same_browser;
mod sign_in;
