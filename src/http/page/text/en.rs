use super::{
    Around, ChooseIdp, Confirm, End, Error, Frames, Headings, Legs, OneMoment, PersonPage, Relogin,
    ReloginSaid, Said, Summaries, Text, Waiting,
};

pub(super) static TEXT: Text = Text {
    go_on: "Continue",
    unnamed: "not named here",
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
        reaches: "This signs you out of:",
        target_refused: "The page it wanted you to return to is not registered, so you will stay \
                         here afterwards.",
        yes: "Sign out",
        no: "Stay signed in",
    },
    kept: Said {
        heading: "You are still signed in",
        text: "Nothing was ended. You can close this page.",
    },
    frames: Frames {
        title: "Signing out",
        heading: "You are signed out here",
        told: "These apps are being told through your browser:",
        hint: "They cannot tell us whether it worked. If your browser blocks cookies inside \
               other pages, you may stay signed in to such an app. To be sure, sign out there \
               too.",
    },
    person_page: PersonPage {
        title: "Sign out",
        heading: "What do you want to sign out of?",
        untick: "This browser is signed in to what stands here. Untick what you want to keep.",
        apps: "Apps",
        idps: "Your organisation",
        cannot_be_told: "It offers no way to be told: sign out there, too.",
        consequence: "If you sign out of your organisation or of every app, your session here \
                      ends. If you sign out of some apps only, it goes on, and such an app may \
                      sign you in again without asking.",
        button: "Sign out of what is ticked",
        nothing_ticked: "Nothing was ticked, so nothing was ended.",
        ended_before: "What you ticked had ended already.",
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
            everywhere: "This session has ended everywhere",
            apps: "You are signed out of the apps of this session",
            here: "You are signed out here",
            chosen: "You are signed out of what you chose",
            chosen_here: "What you chose has ended here",
            apps_over: "The session of these apps has ended, too",
        },
        summary: Summaries {
            everywhere: "You are signed out: every app and organisation of this session \
                         confirmed it.",
            apps: "Every app of this session confirmed it. Your organisation's own sign-in was \
                   left as it is, so the next sign-in may not ask you.",
            only_here: "Signed out here. Your apps and your organisation were left as they are.",
            nobody_asked: "Signed out here. No other party was asked.",
            partial: "Signed out here. Not every other party has confirmed it.",
            chosen: "Signed out here. Everybody you chose confirmed it; the others were left as \
                     they are.",
            chosen_partial: "Signed out here. Not everybody you chose has confirmed it; the \
                             others were left as they are.",
            not_all_known: "Signed out here. A part of this session cannot be read any more, so there may be \
                            an app or organisation that still has you signed in.",
            apps_alone: "Every app you chose confirmed it. You are still signed in here, so such \
                         an app may sign you in again without asking.",
            apps_alone_partial: "Not every app you chose has confirmed it. You are still signed \
                                 in here, so such an app may sign you in again without asking.",
            apps_alone_untold: "No app you chose could be told. You are still signed in here, so \
                                such an app may sign you in again without asking.",
            apps_over: "You signed out of some apps only. The session that went on then has \
                        ended since.",
        },
        app: "App",
        idp: "Organisation",
        leg: Legs {
            open: "We are still telling it.",
            confirmed: "Signed out.",
            partial: "Signed out there, but some other services that use it may still be open.",
            refused: "It answered that it did not sign you out.",
            unconfirmed: "We told it, but it gave no proof that you are signed out.",
            unconfirmed_frame: "It was told through your browser. If your browser blocks its \
                                cookies there, you may still be signed in.",
            no_answer: "It did not answer. You may still be signed in there.",
            not_sent: "It was not told. You may still be signed in there.",
            not_possible: "It offers no way to be told. You may still be signed in there.",
            dead_letter: "It could not be reached. You may still be signed in there.",
            left: "Left as it is, as you chose.",
        },
        locked: "At the next sign-in with this browser, your organisation is asked to check \
                 again who you are. If it does not, we ask you before you are signed in.",
        still_signed_in: "See what you are still signed in to",
        try_again: "Try again",
        try_again_hint: "“Try again” takes you to that organisation once more, to sign out there. \
                         You come back to this page.",
        reference: "Reference:",
    },
    relogin: Relogin {
        title: "Sign in again?",
        signed_in: ReloginSaid {
            heading: "You signed out, and were signed in again without being asked",
            why: Around(
                "",
                " still knows you from before you signed out. We asked it to check again who you \
                 are, and it did not.",
            ),
        },
        refused: ReloginSaid {
            heading: "You signed out, and could not be signed in again",
            why: Around(
                "We asked ",
                " to check again who you are, because you signed out before. It answered with an \
                 error instead.",
            ),
        },
        advice: "If you want to be signed in as before, go on. If others use this computer, or \
                 if you did not ask to sign in, stay signed out.",
        yes: "Sign in anyway",
        no: "Stay signed out",
    },
    unknown_answer: Said {
        heading: "This answer came too late, or twice",
        text: "It belongs to no sign-out that is waiting. If you want to sign out, do so in the \
               app.",
    },
    nobody: Said {
        heading: "You are signed out here",
        text: "Nobody was signed in with this browser.",
    },
};
