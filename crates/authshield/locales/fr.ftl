# Les mots de toutes les lettres et de toutes les pages en français ; la structure est expliquée dans en.ftl.

-account = compte

greeting = Bonjour,
greeting-name = Bonjour { $name },

span-minutes = { $count ->
    [one] une minute
   *[other] { $count } minutes
}
span-hours = { $count ->
    [one] une heure
   *[other] { $count } heures
}
span-days = { $count ->
    [one] un jour
   *[other] { $count } jours
}

link-copy = Si le bouton ne fonctionne pas, copiez cette adresse dans votre navigateur :
link-life = Le lien fonctionne une seule fois, pendant { $span }. Ne le transmettez pas : quiconque le possède peut s’en servir.
secure-password = choisissez maintenant un nouveau mot de passe
secure-mailbox = déconnectez-vous maintenant partout et protégez votre boîte e-mail
closing = { $service } vous envoie ce message parce qu’il concerne votre { -account } sur { $site }. Il est écrit par un programme ; les réponses ne sont pas lues.

verify_email = Confirmez votre adresse e-mail pour { $service }
    .lead = Quelqu’un (vous, nous l’espérons) a utilisé cette adresse pour ouvrir un { -account } chez { $service }. Veuillez confirmer qu’elle est à vous.
    .action = Confirmer l’adresse
    .note = Si ce n’était pas vous, ignorez ce message ; il ne se passera rien d’autre.

choose_password = Choisissez le mot de passe de votre { -account } chez { $service }
    .lead = Cette adresse a servi plusieurs fois, avec des mots de passe différents, à ouvrir un { -account } chez { $service }. Pour qu’aucun autre mot de passe que le vôtre ne l’ouvre, choisissez-en un ici ; l’adresse sera ainsi confirmée.
    .action = Choisir un mot de passe
    .note = Si ce n’était pas vous, ignorez ce message ; il ne se passera rien d’autre.

already_registered = Vous avez déjà un { -account } chez { $service }
    .lead = Quelqu’un, peut-être vous, a essayé d’ouvrir un { -account } chez { $service } avec cette adresse. Vous en avez déjà un, donc rien n’a été modifié : connectez-vous simplement.
    .lead-link = Quelqu’un, peut-être vous, a essayé d’ouvrir un { -account } chez { $service } avec cette adresse. Vous en avez déjà un, donc rien n’a été modifié : connectez-vous simplement. Si vous avez oublié votre mot de passe, choisissez-en un nouveau ici.
    .action = Choisir un nouveau mot de passe
    .note = Si ce n’était pas vous, ignorez ce message ; votre { -account } reste tel quel.

sign_in = Connectez-vous à { $service }
    .lead = Quelqu’un, vous, nous l’espérons, veut se connecter à { $service } avec cette adresse. Saisissez ce code là où il a été demandé, ou ouvrez le lien dans le même navigateur :
    .action = Se connecter
    .note = Le code et le lien n’ouvrent quelque chose que dans le navigateur ou l’application qui les a demandés. Si ce n’était pas vous, ignorez ce message. Ne communiquez le code à personne et ne le saisissez sur aucune page que vous n’avez pas ouverte vous-même.

proof_code = Votre code pour { $service }
    .lead = Quelqu’un (vous, nous l’espérons) s’apprête à faire avec votre { -account } chez { $service } quelque chose qui demande une preuve, ou se connecte depuis un endroit où il n’avait pas servi. Saisissez ce code là où il est demandé :
    .note = Il vaut quelques minutes, et seulement là où il a été demandé. Si ce n’était pas vous, ignorez ce message et fermez les autres sessions de votre { -account }. Ne communiquez le code à personne et ne le saisissez sur aucune page que vous n’avez pas ouverte vous-même.

reset_password = Choisissez un nouveau mot de passe pour { $service }
    .lead = Quelqu’un (vous, nous l’espérons) a demandé un nouveau mot de passe pour votre { -account } chez { $service }.
    .action = Choisir un nouveau mot de passe
    .note = Si ce n’était pas vous, ignorez ce message ; votre mot de passe reste le même.

account_closed = Votre { -account } chez { $service } est fermé
    .lead = Le { $at }, toutes les sessions de votre { -account } chez { $service } ont été fermées, comme vous l’aviez demandé. Rien ne l’ouvre avant que vous ayez confirmé que cette boîte est la vôtre. Connectez-vous ensuite et vérifiez ce qui a été modifié.
    .action = L’ouvrir de nouveau
    .note = Si vous ne l’avez pas demandé, quelqu’un d’autre a accès à votre { -account } : prévenez qui administre { $service }.

password_changed = Votre mot de passe pour { $service } a été modifié
    .lead = Le mot de passe de votre { -account } chez { $service } a été modifié le { $at }.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : demandez tout de suite un nouveau mot de passe à { $service } et prévenez la personne qui administre le service.

account_locked = Quelqu’un essaie des mots de passe pour votre { -account } chez { $service }
    .lead = Le { $at }, tant de mots de passe erronés avaient été essayés pour votre { -account } chez { $service } que personne ne peut plus en essayer pendant un moment. Personne n’est entré. Là où vous vous étiez déjà connecté, vous le pouvez toujours.
    .note = Vous n’avez rien à faire. Si c’était vous, ou si vous ne pouvez pas vous connecter, demandez un nouveau mot de passe à { $service } : le lien de ce message vous laissera entrer.

confirm_new_email = Confirmez votre nouvelle adresse e-mail pour { $service }
    .lead = Vous avez demandé à utiliser désormais cette adresse pour votre { -account } chez { $service }. Veuillez confirmer qu’elle est à vous ; d’ici là, l’ancienne reste en place.
    .action = Confirmer la nouvelle adresse
    .note = Si ce n’était pas vous, ignorez ce message ; il ne se passera rien d’autre.

email_changing = Votre adresse e-mail pour { $service } est sur le point de changer
    .lead = Le { $at }, quelqu’un (vous, nous l’espérons) a demandé à remplacer cette adresse par { $new_email } pour votre { -account } chez { $service }. Ce sera fait dès que la nouvelle adresse sera confirmée.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : { $secure }. Cela arrête aussi le changement d’adresse.

email_changed = Votre adresse e-mail pour { $service } a été modifiée
    .lead = Cette adresse n’est plus celle de votre { -account } chez { $service } ; elle a été remplacée le { $at }.
    .lead-link = Cette adresse n’est plus celle de votre { -account } chez { $service } ; elle a été remplacée le { $at }. Si ce n’était pas vous, utilisez le lien : sur la page où il mène, vous pouvez rétablir cette adresse et fermer toutes les sessions, et vous recevrez un autre message pour y entrer de nouveau.
    .action = Ce n’était pas moi
    .note = Si ce n’était pas vous et que vous ne pouvez pas y remédier vous-même, prévenez tout de suite la personne qui administre { $service }.

second_factor_added = Un second facteur a été ajouté à votre { -account } chez { $service }
    .lead = Le { $at }, une application d’authentification a été ajoutée à votre { -account } chez { $service }. Désormais, il faut un de ses codes pour se connecter, et vous avez été déconnecté de tous les autres appareils.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : prévenez tout de suite la personne qui administre { $service }.

second_factor_removed = Le second facteur de votre { -account } chez { $service } a été retiré
    .lead = Le { $at }, le second facteur de votre { -account } chez { $service } a été retiré. Désormais, il n’est plus demandé à la connexion.
    .note = Si ce n’était pas vous, { $secure }, et prévenez la personne qui administre { $service }.

second_factor_guessed = Quelqu’un essaie de deviner des codes pour votre { -account } chez { $service }
    .lead = Le { $at }, quelqu’un a franchi la première étape de la connexion à votre { -account } chez { $service }, puis a envoyé des codes erronés, encore et encore. Le second facteur l’a arrêté.
    .note = Si ce n’était pas vous, quelqu’un d’autre est arrivé jusque-là : { $secure }. Si les codes sont refusés pendant un moment, un code de récupération vous laisse entrer.

recovery_code_used = Un code de récupération de votre { -account } chez { $service } a été utilisé
    .lead = Le { $at }, un de vos codes de récupération a été utilisé à la place de votre application d’authentification. Codes inutilisés restants : { $left }. Créez-en de nouveaux avant qu’il n’y en ait plus.
    .note = Si ce n’était pas vous, quelqu’un possède vos codes : créez-en de nouveaux, et { $secure }.

recovery_codes_renewed = Nouveaux codes de récupération pour votre { -account } chez { $service }
    .lead = Le { $at }, de nouveaux codes de récupération ont été créés pour votre { -account } chez { $service }. Les précédents ne valent plus rien.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : { $secure }, et prévenez la personne qui administre { $service }.

passkey_added = Une clé d’accès a été ajoutée à votre { -account } chez { $service }
    .lead = Le { $at }, une clé d’accès a été ajoutée à votre { -account } chez { $service }. Quiconque la possède peut se connecter sans rien d’autre.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : retirez la clé d’accès, { $secure }, et prévenez la personne qui administre { $service }.

passkey_removed = Une clé d’accès a été retirée de votre { -account } chez { $service }
    .lead = Le { $at }, une clé d’accès a été retirée de votre { -account } chez { $service }. Elle ne permet plus de se connecter.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : { $secure }, et prévenez la personne qui administre { $service }.

identity_linked = Votre { -account } chez { $service } peut être ouvert avec { $provider }
    .lead = Le { $at }, un compte chez { $provider } a été lié à votre { -account } chez { $service }. Quiconque le possède peut se connecter sans rien d’autre.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : retirez ce lien, { $secure }, et prévenez la personne qui administre { $service }.

identity_removed = Un compte lié a été retiré de votre { -account } chez { $service }
    .lead = Le { $at }, un compte chez { $provider } a été retiré de votre { -account } chez { $service }. Il ne permet plus de se connecter.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : { $secure }, et prévenez la personne qui administre { $service }.

new_device = Nouvelle connexion à votre { -account } chez { $service }
    .lead = Le { $at }, quelqu’un (vous, nous l’espérons) s’est connecté à votre { -account } chez { $service } depuis un endroit où il n’avait jamais été utilisé : { $device }, { $place }.
    .action = Ce n’était pas moi
    .note = Si c’était vous, ignorez ce message. Sinon, utilisez le lien : sur la page où il mène, vous pouvez fermer toutes les sessions et mettre dehors quiconque s’y trouve. Vous recevrez alors un autre message pour y entrer de nouveau.

account_deletion_requested = Votre { -account } chez { $service } va être supprimé
    .lead = Le { $at }, quelqu’un (vous, nous l’espérons) a demandé la suppression de votre { -account } chez { $service }. Il sera supprimé le { $due } avec tout ce qu’il contient. D’ici là, vous pouvez vous connecter et annuler ; vous avez été déconnecté de tous les autres appareils.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : connectez-vous, conservez le { -account }, et { $secure }.

account_deletion_withdrawn = Votre { -account } chez { $service } est conservé
    .lead = Votre { -account } chez { $service } ne sera pas supprimé : la demande a été annulée le { $at }.
    .note = Si ce n’était pas vous, quelqu’un d’autre y a accès : { $secure }.

account_deleted = Votre { -account } chez { $service } a été supprimé
    .lead = Le { $at }, votre { -account } chez { $service } a été supprimé avec tout ce qu’il contenait, comme vous l’aviez demandé.
    .note = Vous n’avez rien à faire. Qui le souhaite peut en ouvrir un nouveau avec cette adresse.

test = Message de test de la part de { $service }
    .lead = Ce message montre que { $service } peut envoyer du courrier. Il a été écrit le { $at }.
    .note = Vous n’avez rien à faire.

canary = Le courrier envoyé par { $service } arrive-t-il ?
    .lead = { $service } s’envoie ce message à lui-même, encore et encore, pour voir si le courrier arrive. Sa marque est { $nonce }.
    .note = Un programme le lit et l’efface.


## Pages

page-error = Erreur : { $title }
page-footer = { $service } s’occupe de la connexion sur { $site }.
page-reference = Si vous demandez de l’aide, indiquez ce numéro :

page-home = Service de connexion
    .lead = { $service } s’occupe des comptes et de la connexion pour les applications de { $site }. Ici, vous gérez votre { -account } ; pour utiliser une application, ouvrez-la.
    .account = Votre { -account }
    .developers = Pour les développeurs
    .docs = Essayer l’API
    .openapi = Description de l’API (OpenAPI)
    .problems = Codes d’erreur

page-verify = Confirmez votre adresse e-mail
    .lead = Cette adresse est-elle la vôtre ? Alors appuyez sur le bouton.
    .action = Confirmer l’adresse
    .note = Si vous ne vous y attendiez pas, fermez la page : il ne se passera rien.
    .done = Votre adresse est confirmée
    .done-lead = Merci. { $email } est confirmée. Vous pouvez fermer cette page et vous connecter.

page-reset = Choisissez un nouveau mot de passe
    .account = Pour le compte
    .label = Nouveau mot de passe
    .action = Enregistrer le nouveau mot de passe
    .note = Vous serez alors déconnecté de tous vos appareils.
    .done = Votre mot de passe a été modifié
    .done-lead = Vous avez été déconnecté de tous vos appareils. Fermez cette page et connectez-vous avec le nouveau mot de passe.

page-not-me = Ce n’était pas vous ?
    .lead = Si quelqu’un d’autre s’est connecté à ce { -account } ou en a changé l’adresse, appuyez sur le bouton : toutes les sessions seront fermées, le mot de passe ne vaudra plus rien, les clés d’accès et l’application de codes ajoutées depuis seront retirées et cette adresse redeviendra la sienne. Vous recevrez un message pour choisir un nouveau mot de passe.
    .lead-plain = Si quelqu’un d’autre s’est connecté à ce { -account } ou en a changé l’adresse, appuyez sur le bouton : toutes les sessions seront fermées, les clés d’accès et l’application de codes ajoutées depuis seront retirées et cette adresse redeviendra la sienne. Rien n’ouvrira alors le { -account } avant que vous ayez utilisé le lien d’un message que vous recevrez.
    .action = Ce n’était pas moi
    .note = Si c’était vous, fermez la page : il ne se passera rien.
    .done = Toutes les sessions ont été fermées
    .done-lead = L’ancien mot de passe ne vaut plus rien. Consultez votre messagerie : un message envoyé à { $email } vous permet d’en choisir un nouveau. Vérifiez ensuite ce qui a été modifié dans votre { -account }.
    .done-lead-plain = Rien n’ouvre plus le { -account }. Consultez votre messagerie : un message envoyé à { $email } contient un lien qui l’ouvre de nouveau. Vérifiez ensuite ce qui a été modifié dans votre { -account }.

page-setup = Ouvrez le premier compte
    .lead = Personne n’administre encore { $service }. La personne qui ouvre ce compte en devient l’administrateur.
    .email = Adresse e-mail
    .name = Nom complet
    .optional = facultatif
    .password = Mot de passe
    .action = Créer l’administrateur
    .done = { $service } est prêt
    .done-lead = { $email } est son administrateur et peut maintenant se connecter.
    .wrong-email = Saisissez une adresse e-mail complète, comme ann@example.org.
    .wrong-name = Un nom compte au plus 200 caractères, et aucun d’invisible.
    .taken = Cette adresse a déjà un compte. Choisissez-en une autre.

page-federation = Se connecter avec { $provider }
    .denied = La connexion n’y a pas abouti. Réessayez ou connectez-vous autrement.
    .unavailable = Le fournisseur ne répond pas pour le moment. Réessayez plus tard ou connectez-vous autrement.
    .unverified = Le fournisseur ne confirme pas que l’adresse est la vôtre : elle ne permet ni de trouver ni d’ouvrir un compte. Connectez-vous comme d’habitude.
    .other = Votre compte est lié à une autre connexion chez ce fournisseur. Utilisez celle-là ou connectez-vous autrement.
    .closed = Il n’est pas possible d’ouvrir un compte pour le moment.
    .over = Cette connexion n’est plus valable. Recommencez.

page-sign-in = Se connecter
    .action = Se connecter
    .forgot = Mot de passe oublié ?
    .new = Pas encore de compte ?
    .wrong = L’adresse e-mail ou le mot de passe est incorrect. Nous ne disons pas lequel ; vérifiez les deux.
    .disabled = Ce { -account } a été désactivé. Adressez-vous à la personne qui administre le service.
    .unverified = Le mot de passe est correct, mais l’adresse e-mail n’a jamais été confirmée. Ouvrez le lien du message que vous avez reçu, ou faites-le envoyer de nouveau.
    .resend = Envoyer de nouveau le message

page-no-password = Ici, personne n’a de mot de passe
    .lead = Connectez-vous d’une autre façon.

page-sign-out = Vous êtes déconnecté
    .lead = Sur cet appareil. Partout ailleurs, vous restez connecté.
    .applications = Sur ces pages. Dans les applications où vous vous êtes connecté d’ici et sur vos autres appareils, vous le restez : votre compte les montre tous et vous y déconnecte.

page-second-factor = Montrez que c’est bien vous
    .code = Code
    .rule = Les six chiffres de votre application d’authentification, ou un de vos codes de récupération.
    .trust = Ne pas demander de code sur cet appareil pendant { $days ->
        [0] quelques heures
        [one] un jour
       *[other] { $days } jours
    }
    .action = Continuer
    .note = Vous avez perdu votre téléphone et aussi les codes de récupération ? La personne qui administre le service peut vous aider.
    .anew = Recommencer
    .wrong = Ce code est incorrect. Saisissez celui que votre application affiche maintenant.
    .used = Ce code a déjà été utilisé. Attendez que votre application affiche le suivant.
    .locked = Il y a eu trop de codes erronés, donc plus aucun code de l’application n’est accepté. Utilisez un code de récupération, ou adressez-vous à la personne qui administre le service.
    .over = Veuillez vous connecter de nouveau
    .over-lead = Cela a pris trop de temps, ou il y a eu trop d’essais.

page-mail-sign-in = Connectez-vous par e-mail
    .lead = Nous vous envoyons un code et un lien. Ils ne servent que dans ce navigateur.
    .action = Envoyer le code
    .offer = Recevoir plutôt un code par e-mail
    .back = Se connecter autrement

page-mail-code = Regardez dans votre boîte
    .lead = Si { $email } peut servir ici, un message avec un code est en route.
    .code = Code
    .rule = Les six chiffres du message.
    .action = Se connecter
    .note = Le message contient aussi un lien, qui connecte dans ce navigateur. Si rien n’arrive, vérifiez l’adresse et le dossier des indésirables.
    .spam = Si rien n’arrive, regardez dans le dossier des indésirables.
    .again = Demander un autre message
    .wrong = Ce code n’est pas le bon. Regardez dans le message le plus récent.
    .wait = Il y a eu trop de codes faux. Utilisez le lien du message, dans ce navigateur.
    .over = Demandez un autre message
    .over-lead = Le code ou le lien a déjà servi, est trop ancien ou appartient à un autre navigateur, ou il y a eu trop d’essais.

page-mail-link = Connectez-vous
    .lead = Vous l’avez demandé dans ce navigateur. Appuyez sur le bouton, et vous êtes connecté.
    .action = Se connecter
    .elsewhere = Ce lien n’ouvre rien ici
    .elsewhere-lead = Il sert une fois, pendant quelques minutes, et seulement dans le navigateur qui l’a demandé. Si vous l’avez demandé ailleurs, retournez-y et saisissez le code du même message.

page-enrol = Ajoutez un second facteur
    .lead = Ici, la connexion demande un second facteur. Scannez cette image avec une application d’authentification sur votre téléphone ; l’application affichera ensuite un code pour chaque connexion.
    .own = Scannez cette image avec une application d’authentification sur votre téléphone ; l’application affichera ensuite un code pour chaque connexion.
    .picture = Code QR pour votre application d’authentification
    .by-hand = Sans appareil photo, saisissez cette clé dans l’application :
    .same-device = Ouvrir dans une application sur cet appareil
    .again = Saisissez le code que l’application affiche maintenant. Si elle n’affiche pas ce { -account }, recommencez.
    .rule = Six chiffres, tels que l’application les affiche maintenant.
    .action = Ajouter et se connecter

page-recovery-codes = Conservez ces codes
    .lead = Votre second facteur est ajouté. Si vous le perdez un jour, chacun de ces codes vous laissera entrer une fois. Ils ne sont affichés que maintenant : imprimez-les, ou placez-les dans un gestionnaire de mots de passe.
    .next = Je les ai conservés

page-register = Ouvrir un { -account }
    .action = Ouvrir le { -account }
    .known = Vous en avez déjà un ?
    .closed = Personne ne peut s’inscrire ici
    .closed-lead = La personne qui administre le service ouvre elle-même les comptes.
    .domain = Personne ne garde les boîtes de ce domaine, et ses adresses ne sont pas acceptées. Utilisez-en une durable.

page-mailed = Consultez votre messagerie
    .lead = Nous avons envoyé un message à { $email }. Ouvrez le lien qu’il contient, et vous pourrez vous connecter. Si rien n’arrive, vérifiez l’adresse et regardez aussi dans le dossier des indésirables.
    .meant = Vouliez-vous dire { $email } ? Alors inscrivez-vous avec celle-là.

page-forgot = Mot de passe oublié ?
    .lead = Nous vous envoyons un lien pour en choisir un nouveau.
    .action = Envoyer le lien
    .back = Retour à la connexion
    .done = Consultez votre messagerie
    .done-lead = Si { $email } a un { -account }, un message contenant un lien est en route.

page-captcha = Une vérification qui tient les machines à distance
    .due = Avant de continuer, nous devons nous assurer qu’aucune machine n’est à l’œuvre : votre navigateur s’en charge, ci-dessous. Rien n’a été vérifié pour l’instant : complétez ce qui manque et envoyez de nouveau le formulaire.
    .again = La vérification qui tient les machines à distance n’était pas valable, ou elle est trop ancienne. Rien n’a été vérifié pour l’instant : complétez ce qui manque et envoyez de nouveau le formulaire.
    .working = Votre navigateur fait un court calcul, qui tient les machines à distance. Vous pouvez continuer pendant ce temps.
    .done = Votre navigateur a fait le calcul qui tient les machines à distance.
    .failed = Votre navigateur n’a pas pu faire le calcul qui tient les machines à distance. Rechargez la page ; si cela n’aide pas, utilisez un autre navigateur.
    .scripts = Ce formulaire a besoin de JavaScript, pour une courte vérification qui tient les machines à distance. Autorisez-le pour cette page et rechargez-la ; si ce n’est pas possible, demandez à la personne qui administre le service.
    .scripts-or-later = En ce moment, ce formulaire a besoin de JavaScript, pour une courte vérification qui tient les machines à distance. Autorisez-le pour cette page et rechargez-la, ou revenez dans un quart d’heure : ce ne sera peut-être plus nécessaire.

page-wait = { $minutes ->
        [one] Il y a eu trop d’essais. Rien n’a été vérifié cette fois : attendez une minute, puis réessayez.
       *[other] Il y a eu trop d’essais. Rien n’a été vérifié cette fois : attendez { $minutes } minutes, puis réessayez.
    }

page-account = Votre { -account }
    .sign-out = Se déconnecter
    .profile = À propos de vous
    .language = Langue des messages
    .save = Enregistrer
    .saved = C’est enregistré.
    .sessions = Où vous êtes connecté
    .this-one = Cet appareil
    .seen = Dernière utilisation : { $last }, depuis { $address } ; connecté : { $since }
    .end = Fermer cette session
    .end-others = Fermer toutes les autres sessions
    .ended = Cette session est fermée.
    .ended-others = Toutes les autres sessions sont fermées.
    .more = Il y en a plus que celles affichées ici.
    .wrong-password = Le mot de passe est incorrect.
    .trusted = Appareils de confiance
    .trusted-lead = Aucun code n’y est demandé à la connexion. Changer de mot de passe ou fermer toutes les sessions y met fin.
    .trusted-seen = Dernière utilisation : { $last }, depuis { $address } ; de confiance depuis { $since }, jusqu’à { $until }
    .untrust = Y redemander un code
    .untrusted = Un code y est de nouveau demandé.
    .identities = Comptes chez des fournisseurs
    .identity-used = Dernière utilisation : { $last } ; lié : { $since }
    .identity-unused = Pas encore utilisé ; lié : { $since }
    .unlink = Retirer
    .unlinked = Le lien avec le fournisseur a été retiré et vous êtes déconnecté partout ailleurs.
    .last-identity = C’est la seule entrée de votre { -account }. Choisissez d’abord un mot de passe, ou ajoutez une clé d’accès.

page-prove = Montrez encore que c’est bien vous
    .lead = Ce qui suit ne peut pas être annulé, ou ouvrirait votre { -account } d’une autre façon.
    .anew = Il n’y a rien ici que vous puissiez montrer. Déconnectez-vous, reconnectez-vous, puis revenez.
    .mail-send = M’envoyer un code par message
    .mail-lead = Un message avec un code est en route vers { $email }. Si rien n’arrive, regardez dans le dossier des indésirables.
    .mail-over = Le code est trop ancien, ou il y a eu trop d’essais. Demandez un autre message.

page-password = Mot de passe
    .current = Mot de passe actuel
    .note = Quand vous en choisissez un nouveau, vous êtes déconnecté de tous les autres appareils.
    .same = C’est le mot de passe actuel. Choisissez-en un autre.
    .done = Votre mot de passe a été modifié et vous êtes déconnecté partout ailleurs.

page-email = Une autre adresse e-mail
    .change = Changer d’adresse
    .new = Nouvelle adresse e-mail
    .action = Envoyer le lien
    .note = Nous envoyons un lien à la nouvelle adresse ; dès qu’il est ouvert, elle devient la vôtre. L’adresse actuelle reçoit un avis.
    .done = Un message est en route vers la nouvelle adresse. Ouvrez le lien qu’il contient ; d’ici là, tout reste tel quel.

page-lock = Quelqu’un d’autre est dans votre { -account } ?
    .lead = Appuyez sur le bouton : toutes les sessions seront fermées, celle-ci aussi, et le mot de passe ne vaudra plus rien. Rien n’ouvrira alors votre { -account } avant que vous ayez choisi un nouveau mot de passe avec le lien d’un message à cette adresse :
    .lead-plain = Appuyez sur le bouton : toutes les sessions seront fermées, celle-ci aussi. Rien n’ouvrira alors votre { -account } avant que vous ayez utilisé le lien d’un message à cette adresse :
    .factors = Retirer aussi mon second facteur et mes clés d’accès, parce que je les ai perdus ou qu’ils pourraient être à quelqu’un d’autre
    .action = Fermer toutes les sessions

page-factor = Second facteur
    .off = Avec un second facteur, un mot de passe volé n’ouvre rien : à chaque connexion, vous montrez un code d’une application sur votre téléphone. Saisissez votre mot de passe pour en ajouter une.
    .off-plain = Avec un second facteur, qui lit vos messages n’obtient rien : à chaque connexion, vous montrez aussi un code d’une application sur votre téléphone.
    .add = Ajouter une application
    .confirm = Ajouter
    .on = Un code de l’application d’authentification est demandé depuis le { $since }.
    .left = { $left ->
        [0] Il ne reste aucun code de récupération. Créez-en de nouveaux, sinon perdre votre téléphone vous laissera dehors.
        [one] Il reste un code de récupération. Créez-en de nouveaux, sinon perdre votre téléphone pourrait vous laisser dehors.
       *[other] Il reste { $left } codes de récupération.
    }
    .renew = Nouveaux codes de récupération
    .renew-note = Ceux que vous avez ne vaudront plus rien.
    .renew-action = Créer de nouveaux codes
    .remove = Le retirer
    .remove-note = Votre mot de passe seul ouvrira alors votre { -account }.
    .remove-note-plain = Une seule preuve suffira alors pour ouvrir votre { -account }.
    .remove-action = Retirer le second facteur
    .removed = Le second facteur a été retiré.
    .changed = Cela a changé entre-temps. Veuillez vérifier.

page-passkey = Clé d’accès
    .use = Utiliser une clé d’accès
    .failed = La clé d’accès n’a pas été utilisée. Réessayez, ou continuez autrement.
    .refused = La clé d’accès n’a pas été acceptée. Réessayez.
    .impossible = Ce navigateur ne montre pas de clés d’accès ici : il est trop ancien pour elles, ou les scripts sont désactivés.
    .lost = Vous avez perdu votre clé d’accès ? La personne qui administre le service peut vous aider.

page-passkeys = Clés d’accès
    .lead = Une clé d’accès vous connecte avec un doigt, un regard ou un code PIN, sans mot de passe et sans adresse à saisir. Elle ne se devine pas, et aucune fausse page ne l’obtient.
    .none = Vous n’en avez pas encore.
    .add = Ajouter une clé d’accès
    .action = Créer la clé d’accès
    .back = Retour aux clés d’accès
    .name = Nom
    .rule = Pour la reconnaître plus tard, par exemple « Téléphone bleu ».
    .rename = La renommer
    .remove = La supprimer
    .synced = Sur plusieurs appareils
    .used = Dernière utilisation { $last }, ajoutée { $since }
    .unused = Jamais utilisée, ajoutée { $since }
    .added = La clé d’accès a été ajoutée.
    .renamed = La clé d’accès a son nouveau nom.
    .removed = La clé d’accès a été supprimée. Effacez-la aussi sur votre appareil.
    .known = Il y a déjà une clé d’accès pour ce { -account } sur cet appareil.
    .too-many = Il y a autant de clés d’accès qu’il peut y en avoir. Supprimez-en une que vous n’utilisez plus.
    .last = Cette clé d’accès est la seule entrée de votre { -account }. Choisissez d’abord un mot de passe, ou ajoutez-en une autre.

page-onward = Vous êtes connecté
    .lead = Vous retournez à { $host }.
    .action = Continuer
    .refused = Cette application n’est pas connue ici
    .refused-lead = L’adresse à laquelle elle veut revenir n’est pas une de celles qui sont autorisées, donc personne n’y est envoyé. Dites-le à la personne qui administre l’application.

page-activity = Ce qui s’est passé
    .lead = Quelque chose dans cette liste n’était-il pas de vous ?
    .operator = par l’administrateur
    .next = Plus ancien

page-data = Vos données
    .export = Tout emporter
    .export-note = Tout ce qui est conservé sur vous, en un seul fichier (JSON).
    .export-action = Télécharger
    .delete = Partir
    .delete-note = { $days ->
        [one] Votre { -account } sera supprimé, avec tout ce qu’il contient, au bout d’un jour. D’ici là, vous pouvez annuler ici. Partout ailleurs, vous serez déconnecté tout de suite.
       *[other] Votre { -account } sera supprimé, avec tout ce qu’il contient, au bout de { $days } jours. D’ici là, vous pouvez annuler ici. Partout ailleurs, vous serez déconnecté tout de suite.
    }
    .delete-action = Supprimer mon { -account }
    .deletion = Vous partez. D’ici là, rien n’est perdu.
    .due = Votre { -account } sera supprimé le { $at }.
    .keep = Conserver mon { -account }
    .kept = Votre { -account } est conservé.
    .last-admin = Vous êtes le seul administrateur. Nommez d’abord quelqu’un d’autre.

page-password-rule = Au moins { $min } caractères. Quelques mots sans rapport entre eux sont longs et faciles à retenir.
page-busy = Il y a beaucoup d’activité en ce moment. Rien n’a été modifié : saisissez de nouveau le mot de passe dans un instant.

page-link = Ce lien ne fonctionne pas
    .incomplete = Il n’est pas complet, ou un message plus récent l’a remplacé. Ouvrez-le depuis le dernier message que vous avez reçu, ou copiez-le en entier.
    .used = Ce lien a déjà été utilisé
    .used-lead = Chaque lien fonctionne une seule fois. Si c’était vous, tout est fait ; sinon, demandez-en un nouveau.
    .expired = Ce lien a expiré
    .expired-lead = Les liens ne fonctionnent qu’un certain temps. Demandez-en un nouveau.
    .moved = L’adresse ne peut plus être confirmée avec ce lien : elle a encore changé, ou elle appartient à un autre compte.
    .setup = Il y a déjà un administrateur
    .setup-lead = Le premier compte a été ouvert, donc ce lien ne sert plus à rien.

weakness-too_short = Utilisez au moins { $min } caractères.
weakness-too_long = Utilisez au plus { $max } caractères.
weakness-common = C’est un des mots de passe que l’on essaie en premier, parce que beaucoup de gens utilisent celui-ci ou un semblable.
weakness-breached = Ce mot de passe figure dans des listes de mots de passe volés ailleurs ; il est donc de ceux que l’on essaie en premier. Choisissez-en un autre, et changez-le partout où vous l’utilisez.
weakness-contains_context = Votre nom, votre adresse e-mail et le nom de ce service sont faciles à deviner. Choisissez un mot de passe qui n’en dépend pas.
weakness-too_weak = Ce mot de passe est trop facile à deviner. { $advice }

advice-rows-of-keys = Les rangées de touches sont faciles à deviner.
advice-keyboard-patterns = Les courts motifs de clavier sont faciles à deviner.
advice-repeated-letters = Les répétitions comme « aaa » sont faciles à deviner.
advice-repeats = Les répétitions comme « abcabcabc » sont à peine plus difficiles à deviner que « abc ».
advice-top-10 = C’est un des dix mots de passe les plus courants.
advice-top-100 = C’est un des cent mots de passe les plus courants.
advice-very-common = Il est très courant.
advice-like-a-common-one = Il ressemble à un mot de passe que beaucoup de gens utilisent.
advice-sequences = Les suites comme « abc » ou « 6543 » sont faciles à deviner.
advice-recent-years = Les années récentes sont faciles à deviner.
advice-one-word = Un mot seul est facile à deviner.
advice-dates = Les dates sont souvent faciles à deviner.
advice-names-alone = Les noms seuls sont faciles à deviner.
advice-common-names = Les noms courants sont faciles à deviner.
advice-use-a-few-words = Utilisez quelques mots, mais pas une expression courante.
advice-no-need-for-symbols = Symboles, chiffres et majuscules ne sont pas nécessaires.
advice-add-words = Ajoutez encore un mot ou deux, de préférence peu courants.
advice-capitals-help-little = Les majuscules n’aident pas beaucoup.
advice-all-capitals = Tout en majuscules est presque aussi facile à deviner que tout en minuscules.
advice-reversed = Les mots à l’envers ne sont guère plus difficiles à deviner.
advice-substitutions = Les substitutions prévisibles, comme « @ » au lieu de « a », n’aident pas beaucoup.
advice-longer-pattern = Utilisez un motif de clavier plus long, avec plus de détours.
advice-avoid-repeats = Évitez les mots et les caractères répétés.
advice-avoid-sequences = Évitez les suites.
advice-avoid-recent-years = Évitez les années récentes.
advice-avoid-your-years = Évitez les années qui ont un rapport avec vous.
advice-avoid-your-dates = Évitez les dates et les années qui ont un rapport avec vous.

page-problem = Quelque chose s’est mal passé
    .lead = C’est notre faute, et c’est noté. Veuillez réessayer plus tard.
    .missing = Il n’y a rien ici
    .missing-lead = Vérifiez l’adresse, ou ouvrez de nouveau le lien de votre message.
    .method = Cela ne fonctionne pas ici
    .method-lead = Ouvrez de nouveau le lien de votre message et utilisez le formulaire de la page.
    .invalid = Nous n’avons pas compris
    .invalid-lead = Ouvrez de nouveau la page, ou le lien de votre message, et utilisez le formulaire qui s’y trouve.
    .form = Ce formulaire n’est plus à jour
    .form-lead = Rien n’a été fait. Ouvrez de nouveau la page et utilisez le formulaire qui s’y trouve : quelqu’un s’est connecté ou déconnecté entre-temps, ou ce n’est pas une de nos pages qui vous a envoyé ici.
    .limited = Trop d’essais
    .limited-lead = { $seconds ->
        [one] Rien n’a été modifié. Attendez une seconde, puis réessayez.
       *[other] Rien n’a été modifié. Attendez { $seconds } secondes, puis réessayez.
    }
    .busy = Nous sommes occupés
    .busy-lead = Rien n’a été modifié. Réessayez dans un instant.

page-codes = Codes d’erreur
    .lead = Ce que répond l’API quand elle ne peut pas faire ce qui lui est demandé. Les programmes comparent ces codes ; ils ne changent pas.
    .status = Statut HTTP
    .back = Tous les codes d’erreur

activity-REGISTER_SUCCEEDED = Compte ouvert
activity-USER_CREATED = Compte ouvert par l’administrateur
activity-SETUP_COMPLETED = Premier administrateur créé
activity-EMAIL_VERIFIED = Adresse e-mail confirmée
activity-LOGIN_SUCCEEDED = Connexion
activity-SIGN_IN_HANDED_OVER = Connexion à une application
activity-LOGIN_FAILED = { $reason ->
    [wrong_password] Connexion avec un mot de passe erroné
   *[other] Connexion refusée
}
activity-SECOND_FACTOR_ASKED = Mot de passe correct ; le second facteur a été demandé
activity-SECOND_FACTOR_REFUSED = Code du second facteur erroné ou déjà utilisé
activity-SECOND_FACTOR_ENABLED = Second facteur ajouté
activity-SECOND_FACTOR_DISABLED = Second facteur retiré
activity-SECOND_FACTOR_RESET = Second facteur retiré par l’administrateur
activity-RECOVERY_CODE_USED = Code de récupération utilisé
activity-RECOVERY_CODES_RENEWED = Nouveaux codes de récupération créés
activity-TRUSTED_DEVICE_ADDED = Appareil de confiance ajouté : le second facteur n’y sera pas demandé pendant un temps
activity-TRUSTED_DEVICE_USED = Le second facteur n’a pas été demandé, car l’appareil est de confiance
activity-TRUSTED_DEVICE_REMOVED = { $reason ->
    [user_removed] L’appareil n’est plus de confiance
    [second_factor_disabled] Les appareils ne sont plus de confiance, car le second facteur a été retiré
   *[other] Les appareils ne sont plus de confiance
}
activity-ACCOUNT_LOCKED = Tant de mots de passe erronés que personne ne peut plus en essayer pendant un moment, sauf là où le titulaire s’était déjà connecté
activity-PASSWORD_REFUSED = Un nouveau mot de passe a été refusé, parce qu’il a été volé ailleurs
activity-BREACHED_PASSWORD_USED = Connexion avec un mot de passe volé ailleurs : choisissez-en un autre
activity-PASSKEY_ADDED = Clé d’accès ajoutée
activity-PASSKEY_REMOVED = Clé d’accès retirée
activity-PASSKEY_REFUSED = Une clé d’accès a été refusée
activity-IDENTITY_LINKED = Compte chez un fournisseur lié
activity-IDENTITY_REMOVED = Compte chez un fournisseur retiré
activity-FEDERATION_REFUSED = Une connexion chez un fournisseur a été refusée
activity-MAGIC_LINK_REQUESTED = Un message pour se connecter a été demandé
activity-MAGIC_LINK_REFUSED = Un code ou un lien d’un message a été refusé
activity-REFRESH_REUSED = Session fermée : une de ses clés a servi deux fois, peut-être à quelqu’un d’autre
activity-LOGOUT = Déconnexion
activity-SESSION_REVOKED = { $reason ->
    [second_factor_enabled] Autres sessions fermées parce qu’un second facteur a été ajouté
    [password_changed] Sessions fermées parce que le mot de passe a changé
    [password_reset] Sessions fermées parce que le mot de passe a changé
    [second_factor_missing] Sessions terminées où aucun second facteur n’avait été montré, alors qu’il en faut un maintenant
   *[other] Sessions fermées
}
activity-PASSWORD_RESET_REQUESTED = Un lien pour choisir un nouveau mot de passe a été demandé
activity-PASSWORD_RESET_COMPLETED = Nouveau mot de passe choisi avec un lien
activity-PASSWORD_CHANGED = Mot de passe modifié
activity-PASSWORD_MISMATCH = Mot de passe erroné là où il était demandé de nouveau
activity-ACCOUNT_SECURED = { $reason ->
    [operator] Tout a été fermé par l’administrateur
   *[other] Tout a été fermé : les sessions sont terminées, et il faut choisir un nouveau mot de passe
}
activity-EMAIL_CHANGE_REQUESTED = Changement d’adresse e-mail demandé
activity-EMAIL_CHANGED = Adresse e-mail modifiée
activity-USER_DELETION_REQUESTED = Suppression du compte demandée
activity-USER_DELETION_WITHDRAWN = Suppression du compte annulée
activity-DATA_EXPORTED = Toutes les données du compte téléchargées
activity-PROFILE_CHANGED = Nom ou langue modifié
activity-ROLES_CHANGED = Rôles modifiés
activity-STATUS_CHANGED = Compte désactivé ou activé
