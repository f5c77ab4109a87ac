# Las palabras de todas las cartas y páginas en español; la estructura se explica en en.ftl.

-account = cuenta

greeting = Hola:
greeting-name = Hola, { $name }:

span-minutes = { $count ->
    [one] un minuto
   *[other] { $count } minutos
}
span-hours = { $count ->
    [one] una hora
   *[other] { $count } horas
}
span-days = { $count ->
    [one] un día
   *[other] { $count } días
}

link-copy = Si el botón no funciona, copie esta dirección en su navegador:
link-life = El enlace funciona una sola vez, durante { $span }. No lo comparta: quien lo tenga puede usarlo.
secure-password = elija ahora una contraseña nueva
secure-mailbox = cierre ahora todas las sesiones y proteja su buzón de correo
closing = { $service } le envía este mensaje porque se refiere a su { -account } en { $site }. Lo ha escrito un programa; nadie lee las respuestas.

verify_email = Confirme su dirección de correo para { $service }
    .lead = Alguien, esperamos que usted, ha usado esta dirección para abrir una { -account } en { $service }. Confirme, por favor, que es suya.
    .action = Confirmar la dirección
    .note = Si no ha sido usted, ignore este mensaje; no ocurrirá nada más.

choose_password = Elija la contraseña de su { -account } en { $service }
    .lead = Esta dirección se ha usado más de una vez, y con contraseñas distintas, para abrir una { -account } en { $service }. Para que no valga otra contraseña que la suya, elija una aquí; con eso también queda confirmada la dirección.
    .action = Elegir una contraseña
    .note = Si no ha sido usted, ignore este mensaje; no ocurrirá nada más.

already_registered = Ya tiene una { -account } en { $service }
    .lead = Alguien, quizá usted, ha intentado abrir una { -account } en { $service } con esta dirección. Ya tiene una, así que no se ha cambiado nada: simplemente inicie sesión.
    .lead-link = Alguien, quizá usted, ha intentado abrir una { -account } en { $service } con esta dirección. Ya tiene una, así que no se ha cambiado nada: simplemente inicie sesión. Si ha olvidado su contraseña, elija aquí una nueva.
    .action = Elegir una contraseña nueva
    .note = Si no ha sido usted, ignore este mensaje; su { -account } sigue como estaba.

sign_in = Inicie sesión en { $service }
    .lead = Alguien, esperamos que usted, quiere iniciar sesión en { $service } con esta dirección. Escriba este código donde lo pidió, o abra el enlace en el mismo navegador:
    .action = Iniciar sesión
    .note = El código y el enlace solo abren algo en el navegador o la aplicación que los pidió. Si no fue usted, ignore este mensaje. No diga el código a nadie ni lo escriba en una página que no haya abierto usted.

proof_code = Su código para { $service }
    .lead = Alguien, esperamos que usted, va a hacer con su { -account } en { $service } algo que requiere una prueba, o inicia sesión desde donde no se había usado. Escriba este código donde se le pida:
    .note = Vale unos minutos y solo donde se pidió. Si no fue usted, ignore este mensaje y cierre las demás sesiones de su { -account }. No diga el código a nadie ni lo escriba en una página que no haya abierto usted.

reset_password = Elija una contraseña nueva para { $service }
    .lead = Alguien, esperamos que usted, ha pedido una contraseña nueva para su { -account } en { $service }.
    .action = Elegir una contraseña nueva
    .note = Si no ha sido usted, ignore este mensaje; su contraseña sigue siendo la misma.

account_closed = Su { -account } en { $service } está cerrada
    .lead = El { $at } se cerraron todas las sesiones de su { -account } en { $service }, como usted pidió. Nada la abre hasta que confirme que este buzón es suyo. Después inicie sesión y revise qué se ha cambiado.
    .action = Abrirla de nuevo
    .note = Si no lo ha pedido usted, otra persona tiene acceso a su { -account }: avise a quien administra { $service }.

password_changed = Se ha cambiado su contraseña de { $service }
    .lead = La contraseña de su { -account } en { $service } se cambió el { $at }.
    .note = Si no ha sido usted, otra persona tiene acceso: pida enseguida una contraseña nueva en { $service } y avise a quien administra el servicio.

account_locked = Alguien está probando contraseñas de su { -account } en { $service }
    .lead = El { $at } se habían probado tantas contraseñas incorrectas para su { -account } en { $service } que, durante un rato, nadie puede probar otra. Nadie ha entrado. Donde ya había iniciado sesión antes, puede seguir haciéndolo.
    .note = No tiene que hacer nada. Si ha sido usted, o si no puede iniciar sesión, pida una contraseña nueva en { $service }: el enlace de ese mensaje le permite entrar.

confirm_new_email = Confirme su nueva dirección de correo para { $service }
    .lead = Ha pedido usar esta dirección a partir de ahora para su { -account } en { $service }. Confirme, por favor, que es suya; hasta entonces se mantiene la anterior.
    .action = Confirmar la nueva dirección
    .note = Si no ha sido usted, ignore este mensaje; no ocurrirá nada más.

email_changing = Su dirección de correo para { $service } está a punto de cambiar
    .lead = El { $at } alguien, esperamos que usted, pidió sustituir esta dirección por { $new_email } en su { -account } de { $service }. El cambio se hará en cuanto se confirme la nueva dirección.
    .note = Si no ha sido usted, otra persona tiene acceso: { $secure }. Con eso también se detiene el cambio de dirección.

email_changed = Se ha cambiado su dirección de correo para { $service }
    .lead = Esta ya no es la dirección de su { -account } en { $service }; se sustituyó el { $at }.
    .lead-link = Esta ya no es la dirección de su { -account } en { $service }; se sustituyó el { $at }. Si no ha sido usted, use el enlace: en la página a la que lleva puede recuperar esta dirección y cerrar todas las sesiones, y recibirá otro mensaje para volver a entrar.
    .action = No he sido yo
    .note = Si no ha sido usted y no puede arreglarlo por su cuenta, avise enseguida a quien administra { $service }.

second_factor_added = Se ha añadido un segundo factor a su { -account } en { $service }
    .lead = El { $at } se añadió una aplicación de autenticación a su { -account } en { $service }. A partir de ahora hace falta un código de ella para iniciar sesión, y se ha cerrado su sesión en todos los demás dispositivos.
    .note = Si no ha sido usted, otra persona tiene acceso: avise enseguida a quien administra { $service }.

second_factor_removed = Se ha quitado el segundo factor de su { -account } en { $service }
    .lead = El { $at } se quitó el segundo factor de su { -account } en { $service }. A partir de ahora ya no se pide al iniciar sesión.
    .note = Si no ha sido usted, { $secure }, y avise a quien administra { $service }.

second_factor_guessed = Alguien intenta adivinar códigos de su { -account } en { $service }
    .lead = El { $at } alguien superó el primer paso para entrar en su { -account } de { $service } y después envió códigos incorrectos una y otra vez. El segundo factor le impidió el paso.
    .note = Si no ha sido usted, otra persona ha llegado hasta ahí: { $secure }. Si durante un rato no se aceptan códigos, puede entrar con un código de recuperación.

recovery_code_used = Se ha usado un código de recuperación de su { -account } en { $service }
    .lead = El { $at } se usó uno de sus códigos de recuperación en lugar de la aplicación de autenticación. Códigos sin usar que quedan: { $left }. Genere otros antes de que se acaben.
    .note = Si no ha sido usted, alguien tiene sus códigos: genere otros, y { $secure }.

recovery_codes_renewed = Nuevos códigos de recuperación para su { -account } en { $service }
    .lead = El { $at } se generaron nuevos códigos de recuperación para su { -account } en { $service }. Los anteriores ya no sirven.
    .note = Si no ha sido usted, otra persona tiene acceso: { $secure }, y avise a quien administra { $service }.

passkey_added = Se ha añadido una clave de acceso a su { -account } en { $service }
    .lead = El { $at } se añadió una clave de acceso a su { -account } en { $service }. Quien la tenga puede iniciar sesión sin nada más.
    .note = Si no ha sido usted, otra persona tiene acceso: quite la clave de acceso, { $secure }, y avise a quien administra { $service }.

passkey_removed = Se ha quitado una clave de acceso de su { -account } en { $service }
    .lead = El { $at } se quitó una clave de acceso de su { -account } en { $service }. Ya no se puede iniciar sesión con ella.
    .note = Si no ha sido usted, otra persona tiene acceso: { $secure }, y avise a quien administra { $service }.

identity_linked = Se puede entrar en su { -account } de { $service } desde { $provider }
    .lead = El { $at } se vinculó una cuenta de { $provider } a su { -account } en { $service }. Quien la tenga puede iniciar sesión sin nada más.
    .note = Si no ha sido usted, otra persona tiene acceso: quite el vínculo, { $secure }, y avise a quien administra { $service }.

identity_removed = Se ha quitado un vínculo de su { -account } en { $service }
    .lead = El { $at } se quitó de su { -account } en { $service } el vínculo con una cuenta de { $provider }. Ya no se puede iniciar sesión con ella.
    .note = Si no ha sido usted, otra persona tiene acceso: { $secure }, y avise a quien administra { $service }.

new_device = Nuevo inicio de sesión en su { -account } de { $service }
    .lead = El { $at } alguien, esperamos que usted, inició sesión en su { -account } de { $service } desde donde no se había usado antes: { $device }, { $place }.
    .action = No he sido yo
    .note = Si ha sido usted, ignore este mensaje. Si no, use el enlace: en la página a la que lleva puede cerrar todas las sesiones y dejar fuera a quien esté dentro. Después recibirá otro mensaje para volver a entrar.

account_deletion_requested = Su { -account } en { $service } se va a eliminar
    .lead = El { $at } alguien, esperamos que usted, pidió eliminar su { -account } en { $service }. Se eliminará el { $due } con todo lo que contiene. Hasta entonces puede iniciar sesión y anularlo; en todos los demás dispositivos se ha cerrado su sesión.
    .note = Si no ha sido usted, otra persona tiene acceso: inicie sesión, conserve la { -account }, y { $secure }.

account_deletion_withdrawn = Su { -account } en { $service } se conserva
    .lead = Su { -account } en { $service } no se eliminará: se anuló el { $at }.
    .note = Si no ha sido usted, otra persona tiene acceso: { $secure }.

account_deleted = Su { -account } en { $service } se ha eliminado
    .lead = El { $at } se eliminó su { -account } en { $service }, con todo lo que contenía, como había pedido.
    .note = No tiene que hacer nada. Quien quiera puede abrir una nueva con esta dirección.

test = Mensaje de prueba de { $service }
    .lead = Este mensaje demuestra que { $service } puede enviar correo. Se escribió el { $at }.
    .note = No tiene que hacer nada.

canary = ¿Llega el correo de { $service }?
    .lead = { $service } se envía este mensaje a sí mismo, una y otra vez, para ver si el correo llega. Su marca es { $nonce }.
    .note = Lo lee y lo borra un programa.


## Páginas

page-error = Error: { $title }
page-footer = { $service } se ocupa del inicio de sesión en { $site }.
page-reference = Si pide ayuda, indique este número:

page-home = Servicio de inicio de sesión
    .lead = { $service } se ocupa de las cuentas y del inicio de sesión de las aplicaciones de { $site }. Aquí administra su { -account }; para usar una aplicación, ábrala.
    .account = Su { -account }
    .developers = Para desarrolladores
    .docs = Probar la API
    .openapi = Descripción de la API (OpenAPI)
    .problems = Códigos de error

page-verify = Confirme su dirección de correo
    .lead = ¿Es esta su dirección? Entonces pulse el botón.
    .action = Confirmar la dirección
    .note = Si no esperaba esto, cierre la página: no ocurrirá nada.
    .done = Su dirección está confirmada
    .done-lead = Gracias. { $email } está confirmada. Puede cerrar esta página e iniciar sesión.

page-reset = Elija una contraseña nueva
    .account = Para la cuenta
    .label = Contraseña nueva
    .action = Guardar la contraseña nueva
    .note = Al hacerlo, se cerrará su sesión en todos los dispositivos.
    .done = Se ha cambiado su contraseña
    .done-lead = Se ha cerrado su sesión en todos los dispositivos. Cierre esta página e inicie sesión con la contraseña nueva.

page-not-me = ¿No ha sido usted?
    .lead = Si otra persona ha entrado en esta { -account } o ha cambiado su dirección, pulse el botón: se cerrarán todas las sesiones, la contraseña dejará de valer, se quitarán las claves de acceso y la aplicación de códigos añadidas desde entonces y esta volverá a ser su dirección. Recibirá un mensaje para elegir una contraseña nueva.
    .lead-plain = Si otra persona ha entrado en esta { -account } o ha cambiado su dirección, pulse el botón: se cerrarán todas las sesiones, se quitarán las claves de acceso y la aplicación de códigos añadidas desde entonces y esta volverá a ser su dirección. Después nada abrirá la { -account } hasta que use el enlace de un mensaje que recibirá.
    .action = No he sido yo
    .note = Si ha sido usted, cierre la página: no ocurrirá nada.
    .done = Se han cerrado todas las sesiones
    .done-lead = La contraseña anterior ya no vale. Mire su correo: con un mensaje enviado a { $email } puede elegir una nueva. Después revise qué se ha cambiado en su { -account }.
    .done-lead-plain = Ahora nada abre la { -account }. Mire su correo: un mensaje enviado a { $email } tiene un enlace que la abre de nuevo. Después revise qué se ha cambiado en su { -account }.

page-setup = Abra la primera cuenta
    .lead = Todavía nadie administra { $service }. Quien abra esta cuenta será su administrador.
    .email = Dirección de correo
    .name = Nombre completo
    .optional = opcional
    .password = Contraseña
    .action = Crear el administrador
    .done = { $service } está listo
    .done-lead = { $email } es su administrador y ya puede iniciar sesión.
    .wrong-email = Escriba una dirección de correo completa, como ann@example.org.
    .wrong-name = Un nombre tiene como máximo 200 caracteres, y ninguno invisible.
    .taken = Esta dirección ya tiene una cuenta. Elija otra.

page-federation = Iniciar sesión con { $provider }
    .denied = No ha iniciado sesión allí. Inténtelo de nuevo o inicie sesión de otra manera.
    .unavailable = El proveedor no responde en este momento. Inténtelo más tarde o inicie sesión de otra manera.
    .unverified = El proveedor no confirma que la dirección sea suya, así que con ella no se puede encontrar ni abrir ninguna cuenta. Inicie sesión como hasta ahora.
    .other = Su cuenta pertenece a otro inicio de sesión en este proveedor. Use ese o inicie sesión de otra manera.
    .closed = En este momento no se pueden abrir cuentas.
    .over = Este inicio de sesión ya no es válido. Empiece de nuevo.

page-sign-in = Iniciar sesión
    .action = Iniciar sesión
    .forgot = ¿Ha olvidado su contraseña?
    .new = ¿Aún no tiene cuenta?
    .wrong = La dirección de correo o la contraseña no es correcta. No decimos cuál; compruebe ambas.
    .disabled = Esta { -account } está desactivada. Consulte a quien administra el servicio.
    .unverified = La contraseña es correcta, pero la dirección de correo nunca se confirmó. Abra el enlace del mensaje que recibió o pida que se le envíe otra vez.
    .resend = Enviar el mensaje otra vez

page-no-password = Aquí nadie tiene contraseña
    .lead = Inicie sesión de otra manera.

page-sign-out = Se ha cerrado su sesión
    .lead = En este dispositivo. En los demás sigue abierta.
    .applications = En estas páginas. En las aplicaciones en las que entró desde aquí y en sus otros dispositivos sigue abierta: su cuenta los muestra todos y la cierra allí.

page-second-factor = Demuestre que es usted
    .code = Código
    .rule = Seis cifras de su aplicación de autenticación, o uno de sus códigos de recuperación.
    .trust = No pedir un código en este dispositivo durante { $days ->
        [0] unas horas
        [one] un día
       *[other] { $days } días
    }
    .action = Continuar
    .note = ¿Ha perdido el teléfono y también los códigos de recuperación? Entonces puede ayudarle quien administra el servicio.
    .anew = Empezar de nuevo
    .wrong = Este código no es correcto. Escriba el que muestra ahora su aplicación.
    .used = Este código ya se ha usado. Espere a que su aplicación muestre el siguiente.
    .locked = Ha habido demasiados códigos incorrectos, así que ya no se acepta ninguno de la aplicación. Use un código de recuperación o consulte a quien administra el servicio.
    .over = Inicie sesión otra vez
    .over-lead = Ha pasado demasiado tiempo, o ha habido demasiados intentos.

page-mail-sign-in = Inicie sesión por correo
    .lead = Le enviamos un código y un enlace. Solo sirven en este navegador.
    .action = Enviar el código
    .offer = Prefiero recibir un código por correo
    .back = Iniciar sesión de otra manera

page-mail-code = Mire su buzón
    .lead = Si { $email } puede usarse aquí, un mensaje con un código está en camino.
    .code = Código
    .rule = Las seis cifras del mensaje.
    .action = Iniciar sesión
    .note = En el mensaje hay también un enlace, que inicia sesión en este navegador. Si no llega nada, revise la dirección y la carpeta de correo no deseado.
    .spam = Si no llega nada, mire la carpeta de correo no deseado.
    .again = Pedir otro mensaje
    .wrong = Este código no es correcto. Mire el mensaje más reciente.
    .wait = Hubo demasiados códigos equivocados. Use el enlace del mensaje, en este navegador.
    .over = Pida otro mensaje
    .over-lead = El código o el enlace ya se usó, es demasiado antiguo o pertenece a otro navegador, o hubo demasiados intentos.

page-mail-link = Inicie sesión
    .lead = Lo pidió en este navegador. Pulse el botón y la sesión quedará iniciada.
    .action = Iniciar sesión
    .elsewhere = Este enlace no abre nada aquí
    .elsewhere-lead = Sirve una vez, unos minutos, y solo en el navegador que lo pidió. Si lo pidió en otro lugar, vuelva allí y escriba el código del mismo mensaje.

page-enrol = Añada un segundo factor
    .lead = Aquí hace falta un segundo factor para iniciar sesión. Escanee esta imagen con una aplicación de autenticación de su teléfono; a partir de entonces la aplicación mostrará un código para cada inicio de sesión.
    .own = Escanee esta imagen con una aplicación de autenticación de su teléfono; a partir de entonces la aplicación mostrará un código para cada inicio de sesión.
    .picture = Código QR para su aplicación de autenticación
    .by-hand = Sin cámara, escriba esta clave en la aplicación:
    .same-device = Abrir en una aplicación de este dispositivo
    .again = Escriba el código que muestra ahora la aplicación. Si la aplicación no muestra esta { -account }, empiece de nuevo.
    .rule = Seis cifras, tal como las muestra ahora la aplicación.
    .action = Añadir e iniciar sesión

page-recovery-codes = Guarde estos códigos
    .lead = Se ha añadido su segundo factor. Si alguna vez lo pierde, cada uno de estos códigos le permite entrar una vez. Solo se muestran ahora: imprímalos o guárdelos en un gestor de contraseñas.
    .next = Ya los he guardado

page-register = Abrir una { -account }
    .action = Abrir la { -account }
    .known = ¿Ya tiene una?
    .closed = Aquí nadie puede registrarse
    .closed-lead = Quien administra el servicio abre las cuentas.
    .domain = Nadie conserva los buzones de este dominio, y sus direcciones no se aceptan. Use una duradera.

page-mailed = Mire su correo
    .lead = Hemos enviado un mensaje a { $email }. Abra el enlace que contiene y podrá iniciar sesión. Si no llega nada, compruebe la dirección y mire también la carpeta de correo no deseado.
    .meant = ¿Quería decir { $email }? Entonces regístrese con esa.

page-forgot = ¿Ha olvidado su contraseña?
    .lead = Le enviamos un enlace para elegir una nueva.
    .action = Enviar el enlace
    .back = Volver al inicio de sesión
    .done = Mire su correo
    .done-lead = Si { $email } tiene una { -account }, un mensaje con un enlace va en camino.

page-captcha = Una comprobación que mantiene alejadas a las máquinas
    .due = Antes de seguir tenemos que asegurarnos de que no hay ninguna máquina detrás: lo hace su navegador, aquí abajo. Ahora no se ha comprobado nada: complete lo que falte y envíe el formulario otra vez.
    .again = La comprobación que mantiene alejadas a las máquinas no valió, o fue hace demasiado tiempo. Ahora no se ha comprobado nada: complete lo que falte y envíe el formulario otra vez.
    .working = Su navegador está haciendo un breve cálculo que mantiene alejadas a las máquinas. Mientras tanto puede seguir.
    .done = Su navegador ha hecho el cálculo que mantiene alejadas a las máquinas.
    .failed = Su navegador no ha podido hacer el cálculo que mantiene alejadas a las máquinas. Cargue la página otra vez; si eso no ayuda, use otro navegador.
    .scripts = Este formulario necesita JavaScript, para una breve comprobación que mantiene alejadas a las máquinas. Permítalo en esta página y cárguela otra vez; si no puede, pregunte a quien administra el servicio.
    .scripts-or-later = Ahora mismo este formulario necesita JavaScript, para una breve comprobación que mantiene alejadas a las máquinas. Permítalo en esta página y cárguela otra vez, o vuelva dentro de un cuarto de hora, cuando quizá no haga falta.

page-wait = { $minutes ->
        [one] Ha habido demasiados intentos. Ahora no se ha comprobado nada: espere un minuto e inténtelo otra vez.
       *[other] Ha habido demasiados intentos. Ahora no se ha comprobado nada: espere { $minutes } minutos e inténtelo otra vez.
    }

page-account = Su { -account }
    .sign-out = Cerrar sesión
    .profile = Sobre usted
    .language = Idioma de los mensajes
    .save = Guardar
    .saved = Se ha guardado.
    .sessions = Dónde tiene la sesión abierta
    .this-one = Este dispositivo
    .seen = Último uso: { $last }, desde { $address }; sesión iniciada: { $since }
    .end = Cerrar esta sesión
    .end-others = Cerrar todas las demás sesiones
    .ended = Se ha cerrado esa sesión.
    .ended-others = Se han cerrado todas las demás sesiones.
    .more = Hay más de las que se muestran aquí.
    .wrong-password = La contraseña no es correcta.
    .trusted = Dispositivos de confianza
    .trusted-lead = Allí no se pide un código al iniciar sesión. Si cambia la contraseña o cierra todas las sesiones, eso termina.
    .trusted-seen = Último uso: { $last }, desde { $address }; de confianza desde { $since }, hasta { $until }
    .untrust = Volver a pedir un código allí
    .untrusted = Allí se vuelve a pedir un código.
    .identities = Cuentas en proveedores
    .identity-used = Último uso: { $last }; vinculada: { $since }
    .identity-unused = Sin usar todavía; vinculada: { $since }
    .unlink = Quitar
    .unlinked = Se ha quitado el vínculo con el proveedor y se han cerrado todas las demás sesiones.
    .last-identity = Esta es la única manera de entrar en su { -account }. Antes, establezca una contraseña o añada una clave de acceso.

page-prove = Demuestre otra vez que es usted
    .lead = Lo que viene ahora no se puede deshacer, o abriría su { -account } de otra manera.
    .anew = Aquí no hay nada que pueda mostrar. Cierre la sesión, vuelva a iniciarla y regrese.
    .mail-send = Enviarme un código por correo
    .mail-lead = Un mensaje con un código está en camino a { $email }. Si no llega nada, mire la carpeta de correo no deseado.
    .mail-over = El código es demasiado antiguo o hubo demasiados intentos. Pida otro mensaje.

page-password = Contraseña
    .current = Contraseña actual
    .note = Al guardar una nueva, se cerrará su sesión en todos los demás dispositivos.
    .same = Esta es la contraseña actual. Elija otra.
    .done = Se ha cambiado su contraseña y se han cerrado todas las demás sesiones.

page-email = Otra dirección de correo
    .change = Cambiar la dirección
    .new = Nueva dirección de correo
    .action = Enviar el enlace
    .note = Enviamos un enlace a la nueva dirección; cuando se abra, será su dirección. La actual recibe un aviso.
    .done = Un mensaje va en camino a la nueva dirección. Abra el enlace que contiene; hasta entonces todo sigue como está.

page-lock = ¿Hay otra persona en su { -account }?
    .lead = Pulse el botón: se cerrarán todas las sesiones, también esta, y la contraseña dejará de valer. Después nada abrirá su { -account } hasta que elija una contraseña nueva con el enlace de un mensaje a esta dirección:
    .lead-plain = Pulse el botón: se cerrarán todas las sesiones, también esta. Después nada abrirá su { -account } hasta que use el enlace de un mensaje a esta dirección:
    .factors = Quitar también mi segundo factor y mis claves de acceso, porque los he perdido o podrían ser de otra persona
    .action = Cerrar todas las sesiones

page-factor = Segundo factor
    .off = Con un segundo factor, una contraseña robada no abre nada: en cada inicio de sesión muestra un código de una aplicación de su teléfono. Escriba su contraseña para añadir una.
    .off-plain = Con un segundo factor, quien lea su correo no consigue nada: en cada inicio de sesión muestra además un código de una aplicación de su teléfono.
    .add = Añadir una aplicación
    .confirm = Añadir
    .on = Se pide un código de la aplicación de autenticación desde el { $since }.
    .left = { $left ->
        [0] No queda ningún código de recuperación. Genere otros; si no, perder el teléfono le dejará fuera.
        [one] Queda un código de recuperación. Genere otros; si no, perder el teléfono podría dejarle fuera.
       *[other] Quedan { $left } códigos de recuperación.
    }
    .renew = Nuevos códigos de recuperación
    .renew-note = Los que tiene dejarán de servir.
    .renew-action = Generar códigos nuevos
    .remove = Quitarlo
    .remove-note = A partir de entonces su contraseña sola abre su { -account }.
    .remove-note-plain = A partir de entonces basta una sola prueba para abrir su { -account }.
    .remove-action = Quitar el segundo factor
    .removed = Se ha quitado el segundo factor.
    .changed = Eso ha cambiado entretanto. Vuelva a mirarlo.

page-passkey = Llave de acceso
    .use = Usar una llave de acceso
    .failed = No se ha usado la llave de acceso. Inténtelo otra vez o continúe de otra manera.
    .refused = La llave de acceso no se ha aceptado. Inténtelo otra vez.
    .impossible = Este navegador no muestra llaves de acceso aquí: es demasiado antiguo para ellas, o los scripts están desactivados.
    .lost = ¿Ha perdido su llave de acceso? Entonces puede ayudarle quien administra el servicio.

page-passkeys = Llaves de acceso
    .lead = Una llave de acceso abre su sesión con un dedo, una mirada o un PIN, sin contraseña y sin escribir ninguna dirección. No se puede adivinar, y ninguna página falsa la obtiene.
    .none = Todavía no tiene ninguna.
    .add = Añadir una llave de acceso
    .action = Crear la llave de acceso
    .back = Volver a las llaves de acceso
    .name = Nombre
    .rule = Para reconocerla más adelante, por ejemplo «Teléfono azul».
    .rename = Cambiar el nombre
    .remove = Quitarla
    .synced = En varios dispositivos
    .used = Usada por última vez { $last }, añadida { $since }
    .unused = Nunca usada, añadida { $since }
    .added = Se ha añadido la llave de acceso.
    .renamed = La llave de acceso tiene su nuevo nombre.
    .removed = Se ha quitado la llave de acceso. Bórrela también en su dispositivo.
    .known = En este dispositivo ya hay una llave de acceso para esta { -account }.
    .too-many = Hay tantas llaves de acceso como puede haber. Quite una que ya no use.
    .last = Esta llave de acceso es la única entrada a su { -account }. Antes, ponga una contraseña o añada otra.

page-onward = Ha iniciado sesión
    .lead = Vuelve a { $host }.
    .action = Continuar
    .refused = Esta aplicación no se conoce aquí
    .refused-lead = La dirección a la que quiere volver no es una de las permitidas, así que no se envía a nadie allí. Dígaselo a quien administra la aplicación.

page-activity = Qué ha ocurrido
    .lead = ¿Hay algo en esta lista que no haya hecho usted?
    .operator = por el administrador
    .next = Anteriores

page-data = Sus datos
    .export = Llevárselo todo
    .export-note = Todo lo que se guarda de usted, en un solo archivo (JSON).
    .export-action = Descargar
    .delete = Marcharse
    .delete-note = { $days ->
        [one] Su { -account } se eliminará, con todo lo que contiene, al cabo de un día. Hasta entonces puede anularlo aquí. En todos los demás sitios la sesión se cierra enseguida.
       *[other] Su { -account } se eliminará, con todo lo que contiene, al cabo de { $days } días. Hasta entonces puede anularlo aquí. En todos los demás sitios la sesión se cierra enseguida.
    }
    .delete-action = Eliminar mi { -account }
    .deletion = Ha decidido marcharse. Hasta entonces no se pierde nada.
    .due = Su { -account } se eliminará el { $at }.
    .keep = Conservar mi { -account }
    .kept = Su { -account } se conserva.
    .last-admin = Usted es el único administrador. Nombre antes a otra persona.

page-password-rule = Al menos { $min } caracteres. Unas cuantas palabras sin relación entre sí son largas y fáciles de recordar.
page-busy = Ahora mismo hay mucha actividad. No se ha cambiado nada: escriba la contraseña otra vez dentro de un momento.

page-link = Este enlace no funciona
    .incomplete = No está completo, o lo ha sustituido un mensaje más reciente. Ábralo desde el último mensaje que recibió, o cópielo entero.
    .used = Este enlace ya se ha usado
    .used-lead = Cada enlace funciona una sola vez. Si ha sido usted, todo está hecho; si no, pida otro.
    .expired = Este enlace ha caducado
    .expired-lead = Los enlaces solo funcionan durante un tiempo limitado. Pida otro.
    .moved = La dirección ya no se puede confirmar con este enlace: se ha cambiado otra vez, o pertenece a otra cuenta.
    .setup = Ya hay un administrador
    .setup-lead = La primera cuenta ya se abrió, así que este enlace ya no sirve.

weakness-too_short = Use al menos { $min } caracteres.
weakness-too_long = Use como máximo { $max } caracteres.
weakness-common = Es una de las contraseñas que se prueban primero, porque mucha gente usa esta o una parecida.
weakness-breached = Esta contraseña está en listas de contraseñas robadas en otros sitios, así que es de las que se prueban primero. Elija otra, y cámbiela en cualquier otro sitio donde la use.
weakness-contains_context = Su nombre, su dirección de correo y el nombre de este servicio son fáciles de adivinar. Elija una contraseña que no dependa de ellos.
weakness-too_weak = Esta contraseña es demasiado fácil de adivinar. { $advice }

advice-rows-of-keys = Las filas de teclas son fáciles de adivinar.
advice-keyboard-patterns = Los recorridos cortos por el teclado son fáciles de adivinar.
advice-repeated-letters = Las repeticiones como «aaa» son fáciles de adivinar.
advice-repeats = Las repeticiones como «abcabcabc» son apenas más difíciles de adivinar que «abc».
advice-top-10 = Es una de las diez contraseñas más frecuentes.
advice-top-100 = Es una de las cien contraseñas más frecuentes.
advice-very-common = Es muy frecuente.
advice-like-a-common-one = Se parece a una contraseña que usa mucha gente.
advice-sequences = Las secuencias como «abc» o «6543» son fáciles de adivinar.
advice-recent-years = Los años recientes son fáciles de adivinar.
advice-one-word = Una sola palabra es fácil de adivinar.
advice-dates = Las fechas suelen ser fáciles de adivinar.
advice-names-alone = Los nombres solos son fáciles de adivinar.
advice-common-names = Los nombres frecuentes son fáciles de adivinar.
advice-use-a-few-words = Use unas cuantas palabras, pero no una frase hecha.
advice-no-need-for-symbols = No hacen falta símbolos, cifras ni mayúsculas.
advice-add-words = Añada una o dos palabras más, mejor si son poco frecuentes.
advice-capitals-help-little = Las mayúsculas no ayudan mucho.
advice-all-capitals = Todo en mayúsculas es casi tan fácil de adivinar como todo en minúsculas.
advice-reversed = Las palabras al revés no son mucho más difíciles de adivinar.
advice-substitutions = Las sustituciones previsibles, como «@» en lugar de «a», no ayudan mucho.
advice-longer-pattern = Use un recorrido más largo por el teclado, con más giros.
advice-avoid-repeats = Evite palabras y caracteres repetidos.
advice-avoid-sequences = Evite las secuencias.
advice-avoid-recent-years = Evite los años recientes.
advice-avoid-your-years = Evite años que tengan que ver con usted.
advice-avoid-your-dates = Evite fechas y años que tengan que ver con usted.

page-problem = Algo ha salido mal
    .lead = Es culpa nuestra, y ha quedado anotado. Inténtelo otra vez más tarde.
    .missing = Aquí no hay nada
    .missing-lead = Compruebe la dirección, o abra otra vez el enlace de su mensaje.
    .method = Esto no funciona aquí
    .method-lead = Abra otra vez el enlace de su mensaje y use el formulario de la página.
    .invalid = No lo hemos entendido
    .invalid-lead = Abra otra vez la página, o el enlace de su mensaje, y use el formulario que contiene.
    .form = Este formulario ya no es actual
    .form-lead = No se ha hecho nada. Abra la página otra vez y use el formulario que contiene: entretanto alguien ha iniciado o cerrado sesión, o no fue una página nuestra la que le envió aquí.
    .limited = Demasiados intentos
    .limited-lead = { $seconds ->
        [one] No se ha cambiado nada. Espere un segundo e inténtelo otra vez.
       *[other] No se ha cambiado nada. Espere { $seconds } segundos e inténtelo otra vez.
    }
    .busy = Estamos ocupados
    .busy-lead = No se ha cambiado nada. Inténtelo otra vez dentro de un momento.

page-codes = Códigos de error
    .lead = Lo que responde la API cuando no puede hacer lo que se le pide. Los programas comparan estos códigos; no cambian.
    .status = Estado HTTP
    .back = Todos los códigos de error

activity-REGISTER_SUCCEEDED = Cuenta abierta
activity-USER_CREATED = Cuenta abierta por el administrador
activity-SETUP_COMPLETED = Primer administrador creado
activity-EMAIL_VERIFIED = Dirección de correo confirmada
activity-LOGIN_SUCCEEDED = Sesión iniciada
activity-SIGN_IN_HANDED_OVER = Sesión iniciada en una aplicación
activity-LOGIN_FAILED = { $reason ->
    [wrong_password] Inicio de sesión con una contraseña incorrecta
   *[other] Inicio de sesión rechazado
}
activity-SECOND_FACTOR_ASKED = Contraseña correcta; se pidió el segundo factor
activity-SECOND_FACTOR_REFUSED = Código del segundo factor incorrecto o ya usado
activity-SECOND_FACTOR_ENABLED = Segundo factor añadido
activity-SECOND_FACTOR_DISABLED = Segundo factor quitado
activity-SECOND_FACTOR_RESET = Segundo factor quitado por el administrador
activity-RECOVERY_CODE_USED = Código de recuperación usado
activity-RECOVERY_CODES_RENEWED = Nuevos códigos de recuperación generados
activity-TRUSTED_DEVICE_ADDED = Dispositivo de confianza añadido: allí no hará falta el segundo factor durante un tiempo
activity-TRUSTED_DEVICE_USED = No se pidió el segundo factor porque el dispositivo es de confianza
activity-TRUSTED_DEVICE_REMOVED = { $reason ->
    [user_removed] El dispositivo ya no es de confianza
    [second_factor_disabled] Los dispositivos ya no son de confianza porque se quitó el segundo factor
   *[other] Los dispositivos ya no son de confianza
}
activity-ACCOUNT_LOCKED = Tantas contraseñas incorrectas que durante un rato nadie puede probar otra, salvo donde el titular ya había iniciado sesión
activity-PASSWORD_REFUSED = Se rechazó una contraseña nueva porque fue robada en otro sitio
activity-BREACHED_PASSWORD_USED = Sesión iniciada con una contraseña robada en otro sitio: elija otra
activity-PASSKEY_ADDED = Clave de acceso añadida
activity-PASSKEY_REMOVED = Clave de acceso quitada
activity-PASSKEY_REFUSED = Se rechazó una clave de acceso
activity-IDENTITY_LINKED = Cuenta de un proveedor vinculada
activity-IDENTITY_REMOVED = Vínculo con un proveedor quitado
activity-FEDERATION_REFUSED = Se rechazó un inicio de sesión con un proveedor
activity-MAGIC_LINK_REQUESTED = Se pidió un mensaje para iniciar sesión
activity-MAGIC_LINK_REFUSED = Se rechazó un código o un enlace de un mensaje
activity-REFRESH_REUSED = Sesión cerrada: una de sus llaves se usó dos veces, quizá por otra persona
activity-LOGOUT = Sesión cerrada
activity-SESSION_REVOKED = { $reason ->
    [second_factor_enabled] Otras sesiones cerradas porque se añadió un segundo factor
    [password_changed] Sesiones cerradas porque cambió la contraseña
    [password_reset] Sesiones cerradas porque cambió la contraseña
    [second_factor_missing] Sesiones terminadas en las que no se mostró un segundo factor, que ahora hace falta
   *[other] Sesiones cerradas
}
activity-PASSWORD_RESET_REQUESTED = Se pidió un enlace para elegir una contraseña nueva
activity-PASSWORD_RESET_COMPLETED = Contraseña nueva elegida con un enlace
activity-PASSWORD_CHANGED = Contraseña cambiada
activity-PASSWORD_MISMATCH = Contraseña incorrecta donde se pidió otra vez
activity-ACCOUNT_SECURED = { $reason ->
    [operator] Todo cerrado por el administrador
   *[other] Todo cerrado: sesiones terminadas, y hay que elegir una contraseña nueva
}
activity-EMAIL_CHANGE_REQUESTED = Se pidió cambiar la dirección de correo
activity-EMAIL_CHANGED = Dirección de correo cambiada
activity-USER_DELETION_REQUESTED = Se pidió eliminar la cuenta
activity-USER_DELETION_WITHDRAWN = Se anuló la eliminación de la cuenta
activity-DATA_EXPORTED = Todos los datos de la cuenta descargados
activity-PROFILE_CHANGED = Nombre o idioma cambiado
activity-ROLES_CHANGED = Funciones cambiadas
activity-STATUS_CHANGED = Cuenta desactivada o activada
