use super::{
    Around, ChooseIdp, Confirm, End, Error, Headings, Legs, OneMoment, Relogin, Said, Summaries,
    Text, Waiting,
};

pub(super) static TEXT: Text = Text {
    go_on: "Continue",
    error: Error {
        title: "That did not work",
        client: Said {
            heading: "This app sent something we cannot use",
            text: "The app that brought you here has to be corrected by those who run it.",
        },
        idp: Said {
            heading: "A message of your organisation cannot be used",
            text: "What its sign-in service sent could not be accepted. Please try again from the \
                   app.",
        },
        stale: Said {
            heading: "This page is not valid any more",
            text: "It may have been used already, or it is too old. Please begin again at the app.",
        },
        not_found: Said { heading: "There is nothing here", text: "The address may be mistyped." },
        broken: Said {
            heading: "Something went wrong",
            text: "Please tell those who run this service.",
        },
        busy: Said {
            heading: "Please try again in a moment",
            text: "The service is busy or a part of it is not reachable.",
        },
        failed: Said {
            heading: "Something went wrong",
            text: "Please try again. If it happens again, tell those who run this service.",
        },
        reference: "If you ask somebody for help, give them this reference:",
    },
    one_moment: OneMoment {
        heading: "One moment",
        taken_on: "You are being taken on.",
        press: "You are being taken on. If nothing happens, press the button.",
    },
    choose_idp: ChooseIdp {
        title: "Choose where you sign in",
        heading: "Where do you sign in?",
        text: "Choose the organisation that knows you.",
    },
    confirm: Confirm {
        title: "Sign out?",
        heading: "Do you want to sign out?",
        app: Around("The app ", " asks to sign you out."),
        app_everywhere: Around(
            "The app ",
            " asks to sign you out of everything you opened with this sign-in.",
        ),
        here: "This ends your session here.",
        everywhere: "This ends your session here, and everything you opened with this sign-in.",
        target_refused: "The page it wanted you to return to is not registered, so you will stay \
                         here afterwards.",
        yes: "Sign out",
        no: "Stay signed in",
    },
    kept: Said {
        heading: "You are still signed in",
        text: "Nothing was ended. You can close this page.",
    },
    waiting: Waiting {
        title: "Signing out",
        heading: "You are signed out here",
        asked: Around("", " has been asked to sign you out too, and its answer is not here yet."),
        hint: "If you never saw its page, ask again. You need not wait: if you go on, we note that \
               it did not answer.",
        again: "Ask again",
        go_on: "Go on",
    },
    end: End {
        title: "Signed out",
        heading: Headings {
            everywhere: "You are signed out everywhere",
            apps: "You are signed out of your apps",
            here: "You are signed out here",
        },
        summary: Summaries {
            everywhere: "Signed out everywhere: every party confirmed it.",
            apps: "Every app of this session confirmed it. Your organisation's own sign-in was left \
                   as it is, so the next sign-in may not ask you.",
            only_here: "Signed out here. Your apps and your organisation were left as they are.",
            nobody_asked: "Signed out here. No other party was asked.",
            partial: "Signed out here. Not every other party has confirmed it.",
        },
        app: "App",
        idp: "Organisation",
        leg: Legs {
            open: "We are still telling it.",
            confirmed: "Signed out.",
            partial: "Signed out there, but some other services that use it may still be open.",
            refused: "It answered that it did not sign you out.",
            unconfirmed: "We told it, but it gave no proof that you are signed out.",
            no_answer: "It did not answer. You may still be signed in there.",
            not_sent: "It was not told. You may still be signed in there.",
            not_possible: "It offers no way to be told. You may still be signed in there.",
            dead_letter: "It could not be reached. You may still be signed in there.",
        },
        locked: "At the next sign-in with this browser, your organisation is asked to check \
                 again who you are. If it does not, we ask you before you are signed in.",
        try_again: "Try again",
        try_again_hint: "“Try again” takes you to that organisation once more, to sign out there. \
                         You come back to this page.",
        reference: "Reference:",
    },
    relogin: Relogin {
        title: "Sign in again?",
        heading: "You signed out, and were signed in again without being asked",
        why: Around(
            "",
            " still knows you from before you signed out. We asked it to check again who you \
             are, and it did not.",
        ),
        advice: "If you want to be signed in as before, go on. If others use this computer, or \
                 if you did not ask to sign in, stay signed out.",
        yes: "Sign in anyway",
        no: "Stay signed out",
    },
    unknown_answer: Said {
        heading: "This answer came too late, or twice",
        text: "It belongs to no sign-out that is waiting. If you want to sign out, do so in the app.",
    },
    nobody: Said {
        heading: "You are signed out here",
        text: "Nobody was signed in with this browser.",
    },
};
