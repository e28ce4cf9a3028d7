use super::{
    Around, ChooseIdp, Confirm, End, Error, Headings, Legs, OneMoment, Relogin, Said, Summaries,
    Text, Waiting,
};

pub(super) static TEXT: Text = Text {
    go_on: "Weiter",
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
        everywhere: "Damit enden Ihre Sitzung hier und alles, was Sie mit dieser Anmeldung geöffnet \
                     haben.",
        target_refused: "Die Seite, auf die Sie danach zurückkehren sollten, ist nicht eingetragen. \
                         Sie bleiben deshalb anschließend hier.",
        yes: "Abmelden",
        no: "Angemeldet bleiben",
    },
    kept: Said {
        heading: "Sie sind weiterhin angemeldet",
        text: "Es wurde nichts beendet. Sie können diese Seite schließen.",
    },
    waiting: Waiting {
        title: "Abmeldung läuft",
        heading: "Sie sind hier abgemeldet",
        asked: Around(
            "Wir haben ",
            " gebeten, Sie ebenfalls abzumelden. Die Antwort ist noch nicht da.",
        ),
        hint: "Wenn Sie die Seite dieser Organisation nie gesehen haben, fragen Sie noch einmal. Sie \
               müssen nicht warten: Wenn Sie weitergehen, halten wir fest, dass sie nicht \
               geantwortet hat.",
        again: "Noch einmal fragen",
        go_on: "Weitergehen",
    },
    end: End {
        title: "Abgemeldet",
        heading: Headings {
            everywhere: "Sie sind überall abgemeldet",
            apps: "Sie sind von Ihren Apps abgemeldet",
            here: "Sie sind hier abgemeldet",
        },
        summary: Summaries {
            everywhere: "Überall abgemeldet: Alle Beteiligten haben es bestätigt.",
            apps: "Alle Apps dieser Sitzung haben es bestätigt. Bei Ihrer Organisation bleiben Sie \
                   angemeldet; die nächste Anmeldung fragt Sie daher vielleicht nichts.",
            only_here: "Hier abgemeldet. Bei Ihren Apps und Ihrer Organisation bleibt alles, wie es \
                        ist.",
            nobody_asked: "Hier abgemeldet. Niemand sonst wurde gefragt.",
            partial: "Hier abgemeldet. Nicht alle anderen haben es bestätigt.",
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
            no_answer: "Keine Antwort. Vielleicht sind Sie dort noch angemeldet.",
            not_sent: "Hier wurde nicht gefragt. Vielleicht sind Sie dort noch angemeldet.",
            not_possible: "Wir können dort nicht Bescheid sagen. Vielleicht sind Sie dort noch \
                           angemeldet.",
            dead_letter: "Nicht erreichbar. Vielleicht sind Sie dort noch angemeldet.",
        },
        locked: "Bei der nächsten Anmeldung mit diesem Browser wird Ihre Organisation gebeten, \
                 noch einmal zu prüfen, wer Sie sind. Tut sie es nicht, fragen wir Sie, bevor \
                 Sie angemeldet werden.",
        try_again: "Noch einmal versuchen",
        try_again_hint: "„Noch einmal versuchen“ bringt Sie erneut zu dieser Organisation, um Sie \
                         dort abzumelden. Danach kommen Sie auf diese Seite zurück.",
        reference: "Kennung:",
    },
    relogin: Relogin {
        title: "Wieder anmelden?",
        heading: "Sie haben sich abgemeldet und wurden ungefragt wieder angemeldet",
        why: Around(
            "",
            " kennt Sie noch aus der Zeit vor der Abmeldung. Wir haben darum gebeten, noch \
             einmal zu prüfen, wer Sie sind. Das ist nicht geschehen.",
        ),
        advice: "Wenn Sie wie vorher angemeldet sein möchten, gehen Sie weiter. Wenn auch \
                 andere diesen Computer benutzen oder Sie sich nicht anmelden wollten, bleiben \
                 Sie abgemeldet.",
        yes: "Trotzdem anmelden",
        no: "Abgemeldet bleiben",
    },
    unknown_answer: Said {
        heading: "Diese Antwort kam zu spät oder doppelt",
        text: "Sie gehört zu keiner Abmeldung, die noch wartet. Wenn Sie sich abmelden möchten, tun \
               Sie das bitte in der App.",
    },
    nobody: Said {
        heading: "Sie sind hier abgemeldet",
        text: "Mit diesem Browser war niemand angemeldet.",
    },
};
