use super::*;

#[tokio::test]
async fn records_what_the_back_channel_brings_and_answers_as_told() {
    let nobody = Provider {
        issuer: "https://op.test".to_owned(),
        address: SocketAddr::from(([127, 0, 0, 1], 9)),
    };
    let app = RelyingParty::start("app", nobody).await;
    let deliver = async |body: &str| {
        let form = "application/x-www-form-urlencoded".to_owned();
        let request = wire::Request {
            method: "POST".to_owned(),
            target: "/backchannel-logout".to_owned(),
            host: app.address().to_string(),
            headers: vec![("Content-Type".to_owned(), form)],
            body: body.to_owned(),
        };
        wire::send(app.address(), request).await.status
    };
    assert_eq!(deliver("logout_token=a.b.c").await, 200);
    app.answer_back_channel_with(Answer::Status(500));
    assert_eq!(deliver("logout_token=d.e.f").await, 500);
    assert_eq!(deliver("token=d.e.f").await, 400);
    assert_eq!(app.received_logout_tokens(), ["a.b.c", "d.e.f"]);
    app.answer_back_channel_with(Answer::Hang);
    let hanging =
        tokio::time::timeout(std::time::Duration::from_millis(200), deliver("logout_token=g"));
    assert!(hanging.await.is_err());
    assert_eq!(app.received_logout_tokens().len(), 3);
}
