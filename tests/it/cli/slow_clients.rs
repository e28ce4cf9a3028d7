//! Connections that never come to the point, and more of them than the machine has room for.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{Place, eventually};

/// Sends `head`, then a byte a second. Returns what came back, and when the connection was closed.
fn drip(address: SocketAddr, head: &str, byte: Option<u8>) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while begun.elapsed() < Duration::from_secs(60) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // A reset is an end as well.
            Err(_) => break,
        }
        if let Some(byte) = byte
            && stream.write_all(&[byte]).is_err()
        {
            break;
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_comes_to_the_point_is_cut_off() {
    let place = Place::new("");
    let serving = place.serve().await;
    let address = serving.address;
    let form = "POST /saml/acs HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 100000\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\nSAMLResponse=";
    // What is sent, what follows byte by byte, and the longest that it may last.
    let cases = [
        ("a silent socket", "", None, 10),
        ("a head that drips", "GET /healthz HTTP/1.1\r\nHost: ", Some(b'a'), 10),
        ("a body that drips", form, Some(b'A'), 20),
        ("a body that never comes", form, None, 20),
    ];
    let attackers: Vec<_> = (0..40)
        .flat_map(|_| cases)
        .map(|(what, head, byte, longest)| {
            let cut = tokio::task::spawn_blocking(move || drip(address, head, byte));
            (what, longest, cut)
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    assert_eq!(serving.get("/healthz", &[]).await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "nobody else waits: {:?}", begun.elapsed());
    for (what, longest, cut) in attackers {
        let (answer, after) = cut.await.unwrap();
        // Five seconds for a busy machine.
        assert!(after < Duration::from_secs(longest + 5), "{what}: {after:?}");
        assert!(!answer.starts_with("HTTP/1.1 2"), "{what}: {answer}");
    }
    assert_eq!(serving.get("/readyz", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_file_descriptors_it_waits_and_goes_on() {
    let place = Place::new("");
    // Enough to start with.
    let mut shell = std::process::Command::new("/bin/sh");
    let program = env!("CARGO_BIN_EXE_sloop");
    shell.args(["-c", &format!("ulimit -n 64 && exec '{program}' serve")]);
    let serving = place.serve_by(shell).await;
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(serving.address).unwrap()).collect();
    let line = serving.says("cannot accept connections").await;
    assert!(line.contains("file descriptors"), "{line}");
    // It does not spin: ten times a second is often enough.
    let complaints = || serving.log().matches("cannot accept connections").count();
    let before = complaints();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(complaints() - before <= 12, "{}", serving.log());

    drop(crowd);

    let back = eventually(async || {
        let healthy = serving.get("/readyz", &[]).await.status == 200;
        healthy.then_some(())
    });
    back.await.expect("it takes connections again");
    assert!(!serving.log().contains("panicked"), "{}", serving.log());
}
