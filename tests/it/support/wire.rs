//! HTTP/1.1 as plain bytes on a socket: what the test browser and the test relying party speak.
//! One connection per request, so that nothing of one test leaks into another.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take. Longer than any wait that the service itself promises.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query, as in the request line.
    pub target: String,
    /// What the `Host` header says.
    pub host: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    pub fn headers_named<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s str> {
        let matches = move |(key, _): &&'s (String, String)| key.eq_ignore_ascii_case(name);
        self.headers.iter().filter(matches).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| {
            panic!("not JSON ({error}), status {}: {}", self.status, self.body)
        })
    }
}

/// Sends a request and reads the whole answer. Panics when there is none: in a test that is a fault.
pub async fn send(address: SocketAddr, request: Request) -> Response {
    let told = format!("{} http://{}{}", request.method, request.host, request.target);
    let answer = try_send(address, request).await;
    answer.unwrap_or_else(|error| panic!("{told} at {address}: {error}"))
}

/// As above, to somebody who may be gone.
pub async fn try_send(address: SocketAddr, request: Request) -> std::io::Result<Response> {
    let answer = tokio::task::spawn_blocking(move || exchange(address, &request)).await;
    answer.expect("the exchange does not panic")
}

fn exchange(address: SocketAddr, request: &Request) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let Request { method, target, host, .. } = request;
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if method != "GET" || !request.body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(request.body.as_bytes())?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    parse(&received).ok_or_else(|| {
        std::io::Error::other(format!(
            "not an HTTP answer: {:?}",
            String::from_utf8_lossy(&received)
        ))
    })
}

fn parse(received: &[u8]) -> Option<Response> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&received[..end]).ok()?.split("\r\n");
    let status = lines.next()?;
    // Plack's small server speaks the older version.
    let status = status.strip_prefix("HTTP/1.1 ").or_else(|| status.strip_prefix("HTTP/1.0 "));
    let status = status?.get(..3)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<Option<_>>()?;
    let body = &received[end + 4..];
    let is = |name: &str, value: &str| headers.iter().any(|(n, v)| n == name && v == value);
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: Option<usize> = length.map(|(_, value)| value.parse()).transpose().ok()?;
    let body = match length {
        _ if is("transfer-encoding", "chunked") => dechunk(body)?,
        Some(length) if length != body.len() => return None,
        _ => body.to_vec(),
    };
    Some(Response { status, headers, body: String::from_utf8(body).ok()? })
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_plain_and_chunked_answers() {
        let plain = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        assert_eq!((plain.status, plain.body.as_str()), (200, "hi"));
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).unwrap().body, "hi!");
    }

    #[test]
    fn an_answer_that_was_cut_short_is_none() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi").is_none());
        assert!(
            parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi\r\n").is_none()
        );
    }
}
