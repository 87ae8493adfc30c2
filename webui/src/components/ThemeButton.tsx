import { useTranslation } from 'react-i18next';
import { DesktopIcon, ModeDarkIcon, ModeLightIcon } from 'tdesign-icons-react';
import { nextTheme } from '../logic/theme';
import { Button } from './Button';
import { setTheme, useTheme } from './theme';

const icons = { system: <DesktopIcon />, light: <ModeLightIcon />, dark: <ModeDarkIcon /> };

/** ThemeButton goes round the themes: as the device, light, dark. */
export function ThemeButton() {
  const { t } = useTranslation();
  const theme = useTheme();
  const label = t('theme.change', { now: t(`theme.${theme}`) });
  return (
    <Button
      variant="text"
      icon={icons[theme]}
      aria-label={label}
      title={label}
      onClick={() => setTheme(nextTheme(theme))}
      data-testid="theme"
    />
  );
}
