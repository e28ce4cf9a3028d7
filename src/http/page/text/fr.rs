use super::{
    Around, ChooseIdp, Confirm, End, Error, Frames, Headings, Legs, OneMoment, PersonPage, Relogin,
    ReloginSaid, Said, Summaries, Text, Waiting,
};

pub(super) static TEXT: Text = Text {
    go_on: "Continuer",
    unnamed: "nom non indiqué ici",
    error: Error {
        title: "Cela n’a pas fonctionné",
        client: Said {
            heading: "Cette application a envoyé une demande que nous ne pouvons pas utiliser",
            text: "L’application d’où vous venez doit être corrigée par ses responsables.",
        },
        idp: Said {
            heading: "Un message de votre organisation n’est pas utilisable",
            text: "Nous n’avons pas pu accepter ce que son service de connexion a envoyé. Veuillez \
                   réessayer depuis l’application.",
        },
        stale: Said {
            heading: "Cette page n’est plus valable",
            text: "Elle a peut-être déjà servi, ou elle est trop ancienne. Veuillez recommencer \
                   depuis l’application.",
        },
        not_found: Said {
            heading: "Il n’y a rien ici",
            text: "L’adresse est peut-être mal écrite.",
        },
        broken: Said {
            heading: "Un problème est survenu",
            text: "Veuillez prévenir les responsables de ce service.",
        },
        busy: Said {
            heading: "Veuillez réessayer dans un instant",
            text: "Le service est très sollicité, ou une partie n’est pas joignable.",
        },
        failed: Said {
            heading: "Un problème est survenu",
            text: "Veuillez réessayer. Si cela se reproduit, prévenez les responsables de ce \
                   service.",
        },
        reference: "Si vous demandez de l’aide, indiquez cette référence :",
    },
    one_moment: OneMoment {
        heading: "Un instant",
        taken_on: "Vous allez être redirigé vers la suite.",
        press: "Vous allez être redirigé vers la suite. Si rien ne se passe, appuyez sur le \
                bouton.",
    },
    choose_idp: ChooseIdp {
        title: "Choisissez où vous connecter",
        heading: "Où souhaitez-vous vous connecter ?",
        text: "Choisissez l’organisation où vous avez un compte.",
    },
    confirm: Confirm {
        title: "Se déconnecter ?",
        heading: "Voulez-vous vous déconnecter ?",
        app: Around("L’application ", " demande à vous déconnecter."),
        app_everywhere: Around(
            "L’application ",
            " demande à vous déconnecter de tout ce que vous avez ouvert avec cette connexion.",
        ),
        here: "Cela met fin à votre session ici.",
        everywhere: "Cela met fin à votre session ici, et à tout ce que vous avez ouvert avec \
                     cette connexion.",
        reaches: "Vous serez déconnecté de :",
        target_refused: "La page vers laquelle vous deviez revenir n’est pas enregistrée ; vous \
                         resterez donc ici ensuite.",
        yes: "Se déconnecter",
        no: "Rester connecté",
    },
    kept: Said {
        heading: "Vous êtes toujours connecté",
        text: "Rien n’a été interrompu. Vous pouvez fermer cette page.",
    },
    frames: Frames {
        title: "Déconnexion en cours",
        heading: "Vous êtes déconnecté ici",
        told: "Ces applications sont prévenues par votre navigateur :",
        hint: "Elles ne peuvent pas nous dire si cela a fonctionné. Si votre navigateur \
               bloque les cookies à l’intérieur d’autres pages, vous restez peut-être \
               connecté à une telle application. En cas de doute, déconnectez-vous aussi \
               là-bas.",
    },
    person_page: PersonPage {
        title: "Se déconnecter",
        heading: "De quoi voulez-vous vous déconnecter ?",
        untick: "Avec ce navigateur, vous êtes connecté à tout ce qui figure ici. Décochez ce que \
                 vous voulez garder.",
        apps: "Applications",
        idps: "Votre organisation",
        cannot_be_told: "Elle n’offre aucun moyen d’être prévenue : déconnectez-vous aussi là-bas.",
        consequence: "Si vous vous déconnectez de votre organisation ou de toutes les \
                      applications, votre session prend fin ici. Si vous ne vous déconnectez que \
                      de certaines applications, elle continue, et une telle application peut \
                      vous reconnecter sans rien demander.",
        button: "Se déconnecter de ce qui est coché",
        nothing_ticked: "Rien n’était coché : rien n’a été interrompu.",
        ended_before: "Ce que vous aviez coché avait déjà pris fin.",
    },
    waiting: Waiting {
        title: "Déconnexion en cours",
        heading: "Vous êtes déconnecté ici",
        asked: Around(
            "Nous avons demandé à ",
            " de vous déconnecter aussi. Sa réponse n’est pas encore arrivée.",
        ),
        hint: "Si vous n’avez jamais vu sa page, redemandez. Vous n’êtes pas obligé d’attendre : \
               si vous continuez, nous noterons qu’il n’y a pas eu de réponse.",
        again: "Redemander",
        go_on: "Continuer",
    },
    end: End {
        title: "Déconnexion",
        heading: Headings {
            everywhere: "Cette session est terminée partout",
            apps: "Vous êtes déconnecté des applications de cette session",
            here: "Vous êtes déconnecté ici",
            chosen: "Vous êtes déconnecté de ce que vous avez choisi",
            chosen_here: "Ce que vous avez choisi a pris fin ici",
            apps_over: "La session de ces applications a pris fin, elle aussi",
        },
        summary: Summaries {
            everywhere: "Vous êtes déconnecté : toutes les applications et organisations de cette \
                         session l’ont confirmé.",
            apps: "Toutes les applications de cette session l’ont confirmé. La connexion à votre \
                   organisation a été laissée telle quelle ; la prochaine connexion ne vous \
                   demandera peut-être rien.",
            only_here: "Vous êtes déconnecté ici. Rien n’a changé pour vos applications ni pour \
                        votre organisation.",
            nobody_asked: "Vous êtes déconnecté ici. Personne d’autre n’a été prévenu.",
            partial: "Vous êtes déconnecté ici. Les autres ne l’ont pas tous confirmé.",
            chosen: "Vous êtes déconnecté ici. Tous ceux que vous avez choisis l’ont confirmé ; \
                     rien n’a changé pour les autres.",
            chosen_partial: "Vous êtes déconnecté ici. Ceux que vous avez choisis ne l’ont pas \
                             tous confirmé ; rien n’a changé pour les autres.",
            not_all_known: "Vous êtes déconnecté ici. Une partie de cette session n’est plus lisible ; une \
                            application ou une organisation vous tient peut-être encore connecté.",
            apps_alone: "Toutes les applications que vous avez choisies l’ont confirmé. Vous êtes \
                         toujours connecté ici ; une telle application peut donc vous reconnecter \
                         sans rien demander.",
            apps_alone_partial: "Les applications que vous avez choisies ne l’ont pas toutes \
                                 confirmé. Vous êtes toujours connecté ici ; une telle \
                                 application peut donc vous reconnecter sans rien demander.",
            apps_alone_untold: "Aucune des applications que vous avez choisies n’a pu être \
                                prévenue. Vous êtes toujours connecté ici ; une telle application \
                                peut donc vous reconnecter sans rien demander.",
            apps_over: "Vous vous étiez déconnecté de certaines applications seulement. La \
                        session qui continuait alors a pris fin depuis.",
        },
        app: "Application",
        idp: "Organisation",
        leg: Legs {
            open: "Nous sommes en train de la prévenir.",
            confirmed: "Déconnecté.",
            partial: "Déconnecté là-bas, mais d’autres services qui en dépendent peuvent rester \
                      ouverts.",
            refused: "Elle a répondu qu’elle ne vous a pas déconnecté.",
            unconfirmed: "Nous l’avons prévenue, mais rien ne prouve que vous y êtes déconnecté.",
            unconfirmed_frame: "Elle a été prévenue par votre navigateur. S’il bloque ses cookies \
                                à cet endroit, vous y êtes peut-être encore connecté.",
            no_answer: "Elle n’a pas répondu. Vous y êtes peut-être encore connecté.",
            not_sent: "Elle n’a pas été prévenue. Vous y êtes peut-être encore connecté.",
            not_possible: "Elle n’offre aucun moyen d’être prévenue. Vous y êtes peut-être encore \
                           connecté.",
            dead_letter: "Elle n’a pas pu être jointe. Vous y êtes peut-être encore connecté.",
            left: "Rien n’a changé, comme vous l’avez choisi.",
        },
        locked: "À la prochaine connexion avec ce navigateur, nous demanderons à votre \
                 organisation de vérifier à nouveau qui vous êtes. Si elle ne le fait pas, nous \
                 vous poserons la question avant de vous connecter.",
        still_signed_in: "Voir où vous êtes encore connecté",
        try_again: "Réessayer",
        try_again_hint: "« Réessayer » vous conduit de nouveau vers cette organisation, pour vous \
                         y déconnecter. Vous reviendrez ensuite sur cette page.",
        reference: "Référence :",
    },
    relogin: Relogin {
        title: "Se reconnecter ?",
        signed_in: ReloginSaid {
            heading: "Vous vous êtes déconnecté, puis avez été reconnecté sans qu’on vous le \
                      demande",
            why: Around(
                "",
                " vous connaît encore d’avant votre déconnexion. Nous lui avons demandé de \
                 vérifier à nouveau qui vous êtes, et elle ne l’a pas fait.",
            ),
        },
        refused: ReloginSaid {
            heading: "Vous vous êtes déconnecté, et la reconnexion n’a pas abouti",
            why: Around(
                "Comme vous vous étiez déconnecté, nous avons demandé à ",
                " de vérifier à nouveau qui vous êtes. La réponse a été une erreur.",
            ),
        },
        advice: "Si vous souhaitez être connecté comme avant, continuez. Si d’autres personnes \
                 utilisent cet ordinateur, ou si vous n’avez pas demandé à vous connecter, \
                 restez déconnecté.",
        yes: "Se connecter quand même",
        no: "Rester déconnecté",
    },
    unknown_answer: Said {
        heading: "Cette réponse est arrivée trop tard, ou deux fois",
        text: "Elle ne correspond à aucune déconnexion en attente. Si vous voulez vous \
               déconnecter, faites-le dans l’application.",
    },
    nobody: Said {
        heading: "Vous êtes déconnecté ici",
        text: "Personne n’était connecté avec ce navigateur.",
    },
};
