// Passkeys (Web Authentication Level 3), for the forms that are marked with `data-passkey`. Those are shown only
// where this runs and the browser can do it; the form itself carries what the authenticator says.
(() => {
  'use strict';

  // Passkeys belong to domains: browsers have none for the numbers of a machine.
  const isNumber = /^[\d.]+$|:/.test(location.hostname);
  if (!window.PublicKeyCredential || !navigator.credentials || isNumber) return;
  document.documentElement.classList.add('passkeys');

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (one) => one.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

  const list = (known) => (known || []).map((one) => ({ ...one, id: bytes(one.id) }));
  const read = (options) => ({
    ...options,
    challenge: bytes(options.challenge),
    ...(options.user
      ? {
          user: { ...options.user, id: bytes(options.user.id) },
          excludeCredentials: list(options.excludeCredentials),
        }
      : { allowCredentials: list(options.allowCredentials) }),
  });
  const write = ({ id, rawId, type, response }) => {
    const told = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      told.attestationObject = text(response.attestationObject);
      told.transports = response.getTransports ? response.getTransports() : [];
    } else {
      told.authenticatorData = text(response.authenticatorData);
      told.signature = text(response.signature);
      if (response.userHandle) told.userHandle = text(response.userHandle);
    }
    return JSON.stringify({ id, rawId: text(rawId), type, response: told });
  };

  // A challenge works for five minutes; one that waits in the background is replaced before.
  const OLD = 4 * 60 * 1000;
  let current;

  const run = async (form, mediation) => {
    if (current) current.abort.abort();
    const mine = { abort: new AbortController(), mediation, since: Date.now() };
    current = mine;
    const { signal } = mine.abort;
    if (!mediation) form.querySelectorAll('[role=alert]').forEach((one) => { one.hidden = true; });
    try {
      const body = new URLSearchParams();
      for (const name of ['guard', 'ticket']) {
        if (form.elements[name]) body.set(name, form.elements[name].value);
      }
      const answer = await fetch(form.dataset.challenge, { method: 'POST', body, signal });
      if (!answer.ok && form.dataset.again) return location.assign(form.dataset.again);
      if (!answer.ok) throw new Error(answer.status);
      const asked = { publicKey: read(await answer.json()), signal };
      if (mediation) asked.mediation = mediation;
      const made = form.dataset.passkey === 'create'
        ? await navigator.credentials.create(asked)
        : await navigator.credentials.get(asked);
      form.elements.credential.value = write(made);
      // The box by which the device is trusted stands in the form for a code, and counts for both ways.
      const box = document.querySelector('input[name=trust]:checked');
      if (box) {
        const { name, value } = box;
        form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
      }
      form.submit();
    } catch (error) {
      // Nobody waits for what is asked for in the background.
      if (mediation || signal.aborted) return;
      const known = error.name === 'InvalidStateError' && form.querySelector('[data-known]');
      (known || form.querySelector('[role=alert]')).hidden = false;
      listen();
    }
  };

  let listen = () => {};

  document.addEventListener('DOMContentLoaded', async () => {
    for (const form of document.querySelectorAll('form[data-passkey]')) {
      form.addEventListener('submit', (event) => {
        event.preventDefault();
        run(form);
      });
    }
    const form = document.querySelector('form[data-conditional]');
    const can = PublicKeyCredential.isConditionalMediationAvailable;
    if (!form || !can || !(await can.call(PublicKeyCredential))) return;
    listen = () => run(form, 'conditional');
    const renew = () => {
      const isOld = current && current.mediation && Date.now() - current.since > OLD;
      if (isOld && document.visibilityState === 'visible') listen();
    };
    // Who was faster than this has pressed the button.
    if (!current) listen();
    setInterval(renew, 30 * 1000);
    document.addEventListener('visibilitychange', renew);
  });
})();
