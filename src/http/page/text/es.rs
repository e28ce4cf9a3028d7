use super::{
    Around, ChooseIdp, Confirm, End, Error, Frames, Headings, Legs, OneMoment, PersonPage, Relogin,
    ReloginSaid, Said, Summaries, Text, Waiting,
};

pub(super) static TEXT: Text = Text {
    go_on: "Continuar",
    unnamed: "no se nombra aquí",
    error: Error {
        title: "No ha funcionado",
        client: Said {
            heading: "Esta aplicación ha enviado algo que no podemos utilizar",
            text: "Los responsables de la aplicación de la que viene tienen que corregirla.",
        },
        idp: Said {
            heading: "Un mensaje de su organización no se puede utilizar",
            text: "No hemos podido aceptar lo que ha enviado su servicio de inicio de sesión. \
                   Inténtelo de nuevo desde la aplicación.",
        },
        stale: Said {
            heading: "Esta página ya no es válida",
            text: "Puede que ya se haya utilizado o que sea demasiado antigua. Empiece de nuevo en \
                   la aplicación.",
        },
        not_found: Said {
            heading: "Aquí no hay nada",
            text: "Puede que la dirección esté mal escrita.",
        },
        broken: Said {
            heading: "Se ha producido un error",
            text: "Avise a los responsables de este servicio.",
        },
        busy: Said {
            heading: "Inténtelo de nuevo dentro de un momento",
            text: "El servicio está ocupado o una parte de él no está disponible.",
        },
        failed: Said {
            heading: "Se ha producido un error",
            text: "Inténtelo de nuevo. Si vuelve a ocurrir, avise a los responsables de este \
                   servicio.",
        },
        reference: "Si pide ayuda a alguien, indíquele esta referencia:",
    },
    one_moment: OneMoment {
        heading: "Un momento",
        taken_on: "Le llevamos a la página siguiente.",
        press: "Le llevamos a la página siguiente. Si no ocurre nada, pulse el botón.",
    },
    choose_idp: ChooseIdp {
        title: "Elija dónde iniciar sesión",
        heading: "¿Dónde inicia sesión?",
        text: "Elija la organización en la que tiene una cuenta.",
    },
    confirm: Confirm {
        title: "¿Cerrar sesión?",
        heading: "¿Quiere cerrar la sesión?",
        app: Around("La aplicación ", " pide cerrar su sesión."),
        app_everywhere: Around(
            "La aplicación ",
            " pide cerrar su sesión en todo lo que ha abierto con este inicio de sesión.",
        ),
        here: "Se cerrará su sesión aquí.",
        everywhere: "Se cerrará su sesión aquí y en todo lo que ha abierto con este inicio de \
                     sesión.",
        reaches: "Se cerrará su sesión en:",
        target_refused: "La página a la que debía volver no está registrada, así que después se \
                         quedará aquí.",
        yes: "Cerrar sesión",
        no: "Mantener la sesión",
    },
    kept: Said {
        heading: "Su sesión sigue abierta",
        text: "No se ha cerrado nada. Puede cerrar esta página.",
    },
    frames: Frames {
        title: "Cerrando la sesión",
        heading: "Su sesión aquí está cerrada",
        told: "Estas aplicaciones reciben el aviso a través de su navegador:",
        hint: "No pueden decirnos si ha funcionado. Si su navegador bloquea las cookies \
               dentro de otras páginas, su sesión puede seguir abierta en una de estas \
               aplicaciones. En caso de duda, ciérrela también allí.",
    },
    person_page: PersonPage {
        title: "Cerrar sesión",
        heading: "¿Dónde quiere cerrar la sesión?",
        untick: "Con este navegador tiene la sesión abierta en todo lo que aparece aquí. \
                 Desmarque lo que quiera conservar.",
        apps: "Aplicaciones",
        idps: "Su organización",
        cannot_be_told: "No ofrece ninguna forma de avisarla: cierre la sesión también allí.",
        consequence: "Si cierra la sesión en su organización o en todas las aplicaciones, se \
                      cierra su sesión aquí. Si la cierra solo en algunas aplicaciones, sigue \
                      abierta, y una de esas aplicaciones puede volver a iniciar su sesión en ella \
                      sin preguntar.",
        button: "Cerrar la sesión en lo marcado",
        nothing_ticked: "No había nada marcado, así que no se ha cerrado nada.",
        ended_before: "Lo que había marcado ya estaba cerrado.",
    },
    waiting: Waiting {
        title: "Cerrando la sesión",
        heading: "Su sesión aquí está cerrada",
        asked: Around(
            "Hemos pedido a ",
            " que también cierre su sesión. Su respuesta aún no ha llegado.",
        ),
        hint: "Si no ha visto su página, pídalo otra vez. No hace falta que espere: si continúa, \
               anotaremos que no ha respondido.",
        again: "Pedir otra vez",
        go_on: "Continuar",
    },
    end: End {
        title: "Sesión cerrada",
        heading: Headings {
            everywhere: "Esta sesión se ha cerrado en todas partes",
            apps: "Ha salido de las aplicaciones de esta sesión",
            here: "Su sesión aquí está cerrada",
            chosen: "Ha cerrado la sesión en lo que eligió",
            chosen_here: "Lo que eligió se ha cerrado aquí",
            apps_over: "La sesión de estas aplicaciones también ha terminado",
        },
        summary: Summaries {
            everywhere: "Su sesión está cerrada: todas las aplicaciones y organizaciones de esta \
                         sesión lo han confirmado.",
            apps: "Todas las aplicaciones de esta sesión lo han confirmado. La sesión en su \
                   organización se ha dejado como estaba, así que el próximo inicio de sesión \
                   quizá no le pregunte nada.",
            only_here: "Sesión cerrada aquí. Sus aplicaciones y su organización siguen como \
                        estaban.",
            nobody_asked: "Sesión cerrada aquí. No se ha avisado a nadie más.",
            partial: "Sesión cerrada aquí. No todos los demás lo han confirmado.",
            chosen: "Sesión cerrada aquí. Todos los que eligió lo han confirmado; los demás \
                     siguen como estaban.",
            chosen_partial: "Sesión cerrada aquí. No todos los que eligió lo han confirmado; los \
                             demás siguen como estaban.",
            not_all_known: "Sesión cerrada aquí. Una parte de esta sesión ya no se puede leer; puede que una \
                            aplicación u organización la mantenga abierta.",
            apps_alone: "Todas las aplicaciones que eligió lo han confirmado. Su sesión sigue \
                         abierta aquí, así que una de esas aplicaciones puede volver a iniciar \
                         su sesión en ella sin preguntar.",
            apps_alone_partial: "No todas las aplicaciones que eligió lo han confirmado. Su \
                                 sesión sigue abierta aquí, así que una de esas aplicaciones \
                                 puede volver a iniciar su sesión en ella sin preguntar.",
            apps_alone_untold: "No se ha podido avisar a ninguna de las aplicaciones que eligió. \
                                Su sesión sigue abierta aquí, así que una de esas aplicaciones \
                                puede volver a iniciar su sesión en ella sin preguntar.",
            apps_over: "Cerró la sesión solo en algunas aplicaciones. La sesión que entonces \
                        seguía abierta terminó después.",
        },
        app: "Aplicación",
        idp: "Organización",
        leg: Legs {
            open: "Todavía la estamos avisando.",
            confirmed: "Sesión cerrada.",
            partial: "Sesión cerrada allí, pero otros servicios que dependen de ella pueden seguir \
                      abiertos.",
            refused: "Ha respondido que no ha cerrado su sesión.",
            unconfirmed: "La hemos avisado, pero nada demuestra que su sesión esté cerrada allí.",
            unconfirmed_frame: "Ha recibido el aviso a través de su navegador. Si este bloquea \
                                allí sus cookies, su sesión puede seguir abierta.",
            no_answer: "No ha respondido. Puede que su sesión siga abierta allí.",
            not_sent: "No se la ha avisado. Puede que su sesión siga abierta allí.",
            not_possible: "No ofrece ninguna forma de avisarla. Puede que su sesión siga abierta \
                           allí.",
            dead_letter: "No se ha podido contactar con ella. Puede que su sesión siga abierta \
                          allí.",
            left: "Sigue como estaba, tal como eligió.",
        },
        locked: "En el próximo inicio de sesión con este navegador pediremos a su organización \
                 que vuelva a comprobar quién es usted. Si no lo hace, le preguntaremos antes \
                 de iniciar la sesión.",
        still_signed_in: "Ver dónde sigue abierta su sesión",
        try_again: "Intentar de nuevo",
        try_again_hint: "«Intentar de nuevo» le lleva otra vez a esa organización para cerrar su \
                         sesión allí. Después volverá a esta página.",
        reference: "Referencia:",
    },
    relogin: Relogin {
        title: "¿Iniciar la sesión de nuevo?",
        signed_in: ReloginSaid {
            heading: "Usted cerró la sesión y se ha vuelto a abrir sin preguntarle",
            why: Around(
                "",
                " todavía le conoce de antes de cerrar la sesión. Le hemos pedido que vuelva a \
                 comprobar quién es usted, y no lo ha hecho.",
            ),
        },
        refused: ReloginSaid {
            heading: "Usted cerró la sesión y no se ha podido volver a abrir",
            why: Around(
                "Como usted había cerrado la sesión, hemos pedido a ",
                " que vuelva a comprobar quién es usted. Ha respondido con un error.",
            ),
        },
        advice: "Si quiere tener la sesión abierta como antes, continúe. Si otras personas usan \
                 este ordenador, o si usted no ha pedido iniciar la sesión, manténgala cerrada.",
        yes: "Iniciar la sesión de todos modos",
        no: "Mantener la sesión cerrada",
    },
    unknown_answer: Said {
        heading: "Esta respuesta ha llegado demasiado tarde o dos veces",
        text: "No corresponde a ningún cierre de sesión pendiente. Si quiere cerrar la sesión, \
               hágalo en la aplicación.",
    },
    nobody: Said {
        heading: "Aquí no hay ninguna sesión abierta",
        text: "Nadie tenía una sesión abierta con este navegador.",
    },
};
