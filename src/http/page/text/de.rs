use super::{
    Around, ChooseIdp, Confirm, End, Error, Frames, Headings, Legs, OneMoment, PersonPage, Relogin,
    ReloginSaid, Said, Summaries, Text, Waiting,
};

pub(super) static TEXT: Text = Text {
    go_on: "Weiter",
    unnamed: "hier nicht genannt",
    error: Error {
        title: "Das hat nicht geklappt",
        client: Said {
            heading: "Diese App hat etwas gesendet, das wir nicht verwenden können",
            text: "Die App, aus der Sie kommen, muss von ihren Betreibern korrigiert werden.",
        },
        idp: Said {
            heading: "Eine Nachricht Ihrer Organisation kann nicht verwendet werden",
            text: "Was ihr Anmeldedienst gesendet hat, konnten wir nicht annehmen. Bitte versuchen \
                   Sie es von der App aus noch einmal.",
        },
        stale: Said {
            heading: "Diese Seite gilt nicht mehr",
            text: "Sie wurde vielleicht schon benutzt oder ist zu alt. Bitte beginnen Sie noch \
                   einmal in der App.",
        },
        not_found: Said {
            heading: "Hier gibt es nichts",
            text: "Vielleicht ist die Adresse falsch geschrieben.",
        },
        broken: Said {
            heading: "Etwas ist schiefgegangen",
            text: "Bitte sagen Sie den Betreibern dieses Dienstes Bescheid.",
        },
        busy: Said {
            heading: "Bitte versuchen Sie es gleich noch einmal",
            text: "Der Dienst ist ausgelastet, oder ein Teil davon ist nicht erreichbar.",
        },
        failed: Said {
            heading: "Etwas ist schiefgegangen",
            text: "Bitte versuchen Sie es noch einmal. Wenn es wieder passiert, sagen Sie den \
                   Betreibern dieses Dienstes Bescheid.",
        },
        reference: "Wenn Sie jemanden um Hilfe bitten, nennen Sie bitte diese Kennung:",
    },
    one_moment: OneMoment {
        heading: "Einen Moment",
        taken_on: "Sie werden weitergeleitet.",
        press: "Sie werden weitergeleitet. Wenn nichts passiert, drücken Sie bitte auf den Knopf.",
    },
    choose_idp: ChooseIdp {
        title: "Wählen Sie, wo Sie sich anmelden",
        heading: "Wo melden Sie sich an?",
        text: "Wählen Sie die Organisation, bei der Sie ein Konto haben.",
    },
    confirm: Confirm {
        title: "Abmelden?",
        heading: "Möchten Sie sich abmelden?",
        app: Around("Die App ", " möchte Sie abmelden."),
        app_everywhere: Around(
            "Die App ",
            " möchte Sie von allem abmelden, was Sie mit dieser Anmeldung geöffnet haben.",
        ),
        here: "Damit endet Ihre Sitzung hier.",
        everywhere: "Damit enden Ihre Sitzung hier und alles, was Sie mit dieser Anmeldung \
                     geöffnet haben.",
        reaches: "Sie werden abgemeldet von:",
        target_refused: "Die Seite, auf die Sie danach zurückkehren sollten, ist nicht \
                         eingetragen. Sie bleiben deshalb anschließend hier.",
        yes: "Abmelden",
        no: "Angemeldet bleiben",
    },
    kept: Said {
        heading: "Sie sind weiterhin angemeldet",
        text: "Es wurde nichts beendet. Sie können diese Seite schließen.",
    },
    frames: Frames {
        title: "Abmeldung läuft",
        heading: "Sie sind hier abgemeldet",
        told: "Diese Apps erfahren es über Ihren Browser:",
        hint: "Ob es geklappt hat, können sie uns nicht sagen. Wenn Ihr Browser Cookies \
               innerhalb anderer Seiten sperrt, bleiben Sie bei einer solchen App vielleicht \
               angemeldet. Melden Sie sich im Zweifel auch dort ab.",
    },
    person_page: PersonPage {
        title: "Abmelden",
        heading: "Wovon möchten Sie sich abmelden?",
        untick: "Mit diesem Browser sind Sie hier überall angemeldet. Nehmen Sie das Häkchen weg, \
                 wo Sie angemeldet bleiben möchten.",
        apps: "Apps",
        idps: "Ihre Organisation",
        cannot_be_told: "Wir können dort nicht Bescheid sagen: Melden Sie sich auch dort ab.",
        consequence: "Wenn Sie sich von Ihrer Organisation oder von allen Apps abmelden, endet \
                      Ihre Sitzung hier. Wenn Sie sich nur von einigen Apps abmelden, geht sie \
                      weiter, und eine solche App kann Sie ohne Rückfrage wieder anmelden.",
        button: "Von allem mit Häkchen abmelden",
        nothing_ticked: "Es war kein Häkchen gesetzt. Deshalb wurde nichts beendet.",
        ended_before: "Was Sie angekreuzt hatten, war schon beendet.",
    },
    waiting: Waiting {
        title: "Abmeldung läuft",
        heading: "Sie sind hier abgemeldet",
        asked: Around(
            "Wir haben ",
            " gebeten, Sie ebenfalls abzumelden. Die Antwort ist noch nicht da.",
        ),
        hint: "Wenn Sie die Seite dieser Organisation nie gesehen haben, fragen Sie noch einmal. \
               Sie müssen nicht warten: Wenn Sie weitergehen, halten wir fest, dass sie nicht \
               geantwortet hat.",
        again: "Noch einmal fragen",
        go_on: "Weitergehen",
    },
    end: End {
        title: "Abgemeldet",
        heading: Headings {
            everywhere: "Diese Sitzung ist überall beendet",
            apps: "Sie sind von den Apps dieser Sitzung abgemeldet",
            here: "Sie sind hier abgemeldet",
            chosen: "Sie sind von dem abgemeldet, was Sie gewählt haben",
            chosen_here: "Was Sie gewählt haben, ist hier beendet",
            apps_over: "Auch die Sitzung dieser Apps ist inzwischen beendet",
        },
        summary: Summaries {
            everywhere: "Sie sind abgemeldet: Alle Apps und Organisationen dieser Sitzung haben es \
                         bestätigt.",
            apps: "Alle Apps dieser Sitzung haben es bestätigt. Die Anmeldung bei Ihrer \
                   Organisation wurde nicht angetastet; die nächste Anmeldung fragt Sie daher \
                   vielleicht nichts.",
            only_here: "Hier abgemeldet. Bei Ihren Apps und Ihrer Organisation bleibt alles, wie \
                        es ist.",
            nobody_asked: "Hier abgemeldet. Niemand sonst wurde gefragt.",
            partial: "Hier abgemeldet. Nicht alle anderen haben es bestätigt.",
            chosen: "Hier abgemeldet. Alle, die Sie gewählt haben, haben es bestätigt; bei den \
                     anderen bleibt alles, wie es ist.",
            chosen_partial: "Hier abgemeldet. Nicht alle, die Sie gewählt haben, haben es \
                             bestätigt; bei den anderen bleibt alles, wie es ist.",
            not_all_known: "Hier abgemeldet. Ein Teil dieser Sitzung ist nicht mehr lesbar; vielleicht sind \
                            Sie bei einer App oder Organisation noch angemeldet.",
            apps_alone: "Alle Apps, die Sie gewählt haben, haben es bestätigt. Sie sind hier \
                         weiterhin angemeldet; eine solche App kann Sie deshalb ohne Rückfrage \
                         wieder anmelden.",
            apps_alone_partial: "Nicht alle Apps, die Sie gewählt haben, haben es bestätigt. Sie \
                                 sind hier weiterhin angemeldet; eine solche App kann Sie deshalb \
                                 ohne Rückfrage wieder anmelden.",
            apps_alone_untold: "Keiner App, die Sie gewählt haben, konnten wir Bescheid sagen. \
                                Sie sind hier weiterhin angemeldet; eine solche App kann Sie \
                                deshalb ohne Rückfrage wieder anmelden.",
            apps_over: "Sie hatten sich nur von einzelnen Apps abgemeldet. Die Sitzung, die \
                        danach weiterlief, ist seither ebenfalls zu Ende.",
        },
        app: "App",
        idp: "Organisation",
        leg: Legs {
            open: "Wir sagen noch Bescheid.",
            confirmed: "Abgemeldet.",
            partial: "Dort abgemeldet, aber andere Dienste dieser Organisation können noch offen \
                      sein.",
            refused: "Die Antwort war: Sie wurden dort nicht abgemeldet.",
            unconfirmed: "Wir haben Bescheid gesagt, aber nichts beweist, dass Sie dort abgemeldet \
                          sind.",
            unconfirmed_frame: "Die App hat es über Ihren Browser erfahren. Wenn er ihre Cookies \
                                dabei sperrt, sind Sie dort vielleicht noch angemeldet.",
            no_answer: "Keine Antwort. Vielleicht sind Sie dort noch angemeldet.",
            not_sent: "Dort wurde nicht Bescheid gesagt. Vielleicht sind Sie dort noch angemeldet.",
            not_possible: "Wir können dort nicht Bescheid sagen. Vielleicht sind Sie dort noch \
                           angemeldet.",
            dead_letter: "Nicht erreichbar. Vielleicht sind Sie dort noch angemeldet.",
            left: "Bleibt, wie es ist: So haben Sie es gewählt.",
        },
        locked: "Bei der nächsten Anmeldung mit diesem Browser wird Ihre Organisation gebeten, \
                 noch einmal zu prüfen, wer Sie sind. Tut sie es nicht, fragen wir Sie, bevor \
                 Sie angemeldet werden.",
        still_signed_in: "Zeigen, wo Sie noch angemeldet sind",
        try_again: "Noch einmal versuchen",
        try_again_hint: "„Noch einmal versuchen“ bringt Sie erneut zu dieser Organisation, um Sie \
                         dort abzumelden. Danach kommen Sie auf diese Seite zurück.",
        reference: "Kennung:",
    },
    relogin: Relogin {
        title: "Wieder anmelden?",
        signed_in: ReloginSaid {
            heading: "Sie haben sich abgemeldet und wurden ungefragt wieder angemeldet",
            why: Around(
                "",
                " kennt Sie noch aus der Zeit vor der Abmeldung. Wir haben darum gebeten, noch \
                 einmal zu prüfen, wer Sie sind. Das ist nicht geschehen.",
            ),
        },
        refused: ReloginSaid {
            heading: "Sie haben sich abgemeldet und konnten nicht wieder angemeldet werden",
            why: Around(
                "",
                " sollte noch einmal prüfen, wer Sie sind, weil Sie sich vorher abgemeldet haben. \
                 Von dort kam nur eine Fehlermeldung.",
            ),
        },
        advice: "Wenn Sie wie vorher angemeldet sein möchten, gehen Sie weiter. Wenn auch \
                 andere diesen Computer benutzen oder Sie sich nicht anmelden wollten, bleiben \
                 Sie abgemeldet.",
        yes: "Trotzdem anmelden",
        no: "Abgemeldet bleiben",
    },
    unknown_answer: Said {
        heading: "Diese Antwort kam zu spät oder doppelt",
        text: "Sie gehört zu keiner Abmeldung, die noch wartet. Wenn Sie sich abmelden möchten, \
               tun Sie das bitte in der App.",
    },
    nobody: Said {
        heading: "Sie sind hier abgemeldet",
        text: "Mit diesem Browser war niemand angemeldet.",
    },
};
