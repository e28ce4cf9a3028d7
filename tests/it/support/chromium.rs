//! A real Chromium, driven by its own driver: what our test browser only believes of browsers, this
//! one does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a window makes of cookies in frames of other sites.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThirdPartyCookies {
    Blocked,
    Allowed,
}

/// A window with a profile of its own, without cookies.
pub struct Chromium {
    client: Client,
    driver: Child,
    port: u16,
}

impl Chromium {
    /// All hosts are at `tls`, whose certificate is taken as it is.
    pub async fn start(tls: SocketAddr, cookies: ThirdPartyCookies) -> Self {
        let (driver, port) = start_driver();
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--ignore-certificate-errors".to_owned(),
            format!("--host-resolver-rules=MAP * {tls}"),
            "--lang=en".to_owned(),
        ];
        let cookie_controls_mode = match cookies {
            ThirdPartyCookies::Blocked => 1,
            ThirdPartyCookies::Allowed => 0,
        };
        let prefs = json!({
            "profile.cookie_controls_mode": cookie_controls_mode,
            "intl.accept_languages": "en",
        });
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments, "prefs": prefs},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"pageLoad": PATIENCE.as_millis()},
        });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a session with Chromium");
        Self { client, driver, port }
    }

    /// Goes there, and returns when the page is loaded. Where it leads on by itself, that may not be
    /// where the window rests; see [`Chromium::arrives`].
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("a page");
    }

    pub async fn url(&self) -> Url {
        self.client.current_url().await.expect("a URL")
    }

    /// Waits until the window is at a URL that begins so.
    pub async fn arrives(&self, start: &str) -> Url {
        let mut url = self.url().await;
        for _ in 0..PATIENCE.as_millis() / 50 {
            if url.as_str().starts_with(start) {
                return url;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            url = self.url().await;
        }
        panic!("never at {start}, but at {url}: {}", self.text().await)
    }

    /// Fills a field of the page by its name.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.client.find(Locator::Css(&format!("[name={name}]"))).await;
        field.expect("the field").send_keys(text).await.expect("a field that takes text");
    }

    /// Ticks the box of this name and value.
    pub async fn tick(&self, name: &str, value: &str) {
        let css = format!("[name='{name}'][value='{value}']");
        let found = self.client.find(Locator::Css(&css)).await.expect("the box");
        found.click().await.expect("a box that can be ticked");
    }

    /// Presses the button with this text.
    pub async fn press(&self, label: &str) {
        let button = format!("//button[normalize-space()='{label}']");
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&button)).await;
        let Ok(button) = found else { panic!("no button {label:?}: {}", self.text().await) };
        button.click().await.expect("a button that can be pressed");
    }

    /// What a person reads on the page. Between two pages there is nothing to read.
    pub async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The text of the page that the window comes to rest at.
    pub async fn text_once(&self, is_it: impl Fn(&str) -> bool) -> String {
        let mut text = self.text().await;
        for _ in 0..PATIENCE.as_millis() / 50 {
            if is_it(&text) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            text = self.text().await;
        }
        panic!("the page never came, but at {}: {text}", self.url().await)
    }

    /// Runs script in the page, as its author would.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("a script that runs")
    }

    /// What the window's console said since the last time: violations of a content security policy
    /// are there.
    pub async fn console(&self) -> Vec<String> {
        let log = self.client.issue_cmd(ConsoleLog).await.expect("the browser's log");
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or("").to_owned()).collect()
    }

    /// The lines of the console about content security policies.
    pub async fn violations(&self) -> Vec<String> {
        let mut lines = self.console().await;
        lines.retain(|line| line.contains("Content Security Policy"));
        lines
    }
}

impl Drop for Chromium {
    /// Asked to, the driver ends its browsers; killed, it would leave them behind.
    fn drop(&mut self) {
        let asked = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            let request = "GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes())
        });
        if asked.and_then(|()| self.driver.wait()).is_err() {
            eprintln!("the chromedriver of port {} was left behind", self.port);
        }
    }
}

fn start_driver() -> (Child, u16) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is installed (Debian: apt-get install chromium-driver)");
    let said = BufReader::new(driver.stdout.take().expect("its output"));
    let port = said.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    match port {
        Some(port) => (driver, port),
        None => panic!("chromedriver ended by itself: {:?}", driver.wait()),
    }
}

/// `POST /session/{id}/se/log`: an extension of Chromium's driver.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/se/log", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}
