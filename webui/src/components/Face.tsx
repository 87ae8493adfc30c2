import { useState } from 'react';
import { secureImage } from '../logic/text';

/** Face is a merchant's picture, or the first letter of its name while there is none. */
export function Face({ src, name, large }: { src?: string; name: string; large?: boolean }) {
  const [broken, setBroken] = useState('');
  const url = src ? secureImage(src) : '';
  const className = large ? 'face face--large' : 'face';
  if (!url || broken === url) {
    return (
      <span className={className} aria-hidden="true">
        {[...(name || '?')][0]}
      </span>
    );
  }
  return (
    <img
      className={className}
      src={url}
      alt=""
      loading="lazy"
      referrerPolicy="no-referrer"
      onError={() => setBroken(url)}
    />
  );
}

/** Merchant is how a merchant is named everywhere: picture, name, appid. */
export function Merchant({ src, name, appid }: { src?: string; name: string; appid: string }) {
  return (
    <span className="merchant">
      <Face src={src} name={name} />
      <span className="merchant__text">
        <span className="merchant__name">{name || appid}</span>
        <code>{appid}</code>
      </span>
    </span>
  );
}
